"""Bundles whose architecture or weights are not what they should be."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.segmentation.model_card import WEIGHTS
from synthtumour_bids.segmentation.network_plan import NetworkPlan
from synthtumour_bids.segmentation.trained_network import read_network
from tests.builders.starters import PLAN, put, refused, write_starter, write_untrained


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_starter(tmp_path)


# ---------------------------------------------------------------------- the architecture


def configuration(plans: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = plans["configurations"]["3d_fullres"]
    return found


def arch(plans: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = configuration(plans)["architecture"]["arch_kwargs"]
    return found


@pytest.mark.parametrize(
    ("place", "key", "value", "words"),
    [
        (lambda p: configuration(p)["architecture"], "network_class_name", "os.system", "none"),
        (lambda p: configuration(p)["architecture"], "network_class_name", ["x"], "none"),
        (lambda p: configuration(p)["architecture"], "_kw_requires_import", ["nonlin"], "_kw_"),
        (arch, "conv_op", "subprocess.Popen", "conv_op is 'subprocess.Popen', where"),
        (arch, "norm_op", "builtins.eval", "norm_op"),
        (arch, "nonlin", "os.system", "nonlin"),
        (arch, "dropout_op", "os.system", "dropout_op"),
        (arch, "nonlin_kwargs", {"inplace": False}, "inplace"),
        (arch, "norm_op_kwargs", {"eps": 1e9, "affine": True}, "eps is"),
        (arch, "norm_op_kwargs", {"eps": 1e-5, "affine": False}, "affine"),
        (arch, "n_stages", 10**9, "n_stages is"),
        (arch, "n_stages", True, "n_stages is True"),
        (arch, "features_per_stage", [4, 10**6], "features_per_stage is 1000000"),
        (arch, "features_per_stage", [4, -8], "features_per_stage is -8"),
        (arch, "features_per_stage", [4], "not a list of 2"),
        (arch, "features_per_stage", "48", "not a list of 2"),
        (arch, "kernel_sizes", [[3, 3, 3], [99, 3, 3]], "kernel_sizes is 99"),
        (arch, "kernel_sizes", [[3, 3, 3], [2, 3, 3]], "other values than 1 and 3"),
        (arch, "strides", [[1, 1, 1], [0, 2, 2]], "strides is 0"),
        (arch, "strides", [[2, 2, 2], [2, 2, 2]], "the finest stage has strides"),
        (arch, "n_conv_per_stage", [1, 1000], "n_conv_per_stage is 1000"),
        (arch, "n_conv_per_stage_decoder", [], "not a list of 1"),
        (arch, "conv_bias", 1, "conv_bias is 1"),
        (configuration, "patch_size", [10**5, 16, 16], "patch_size is 100000"),
        (configuration, "patch_size", [512, 512, 512], "voxels"),
        (configuration, "patch_size", [15, 16, 16], "cannot be halved"),
        (configuration, "spacing", [0, 4, 4], "spacing is 0"),
        (configuration, "spacing", [4, 4, 1e300], "spacing is 1e"),
        (configuration, "preprocessor_name", "../../evil", "preprocessor_name"),
        (configuration, "normalization_schemes", ["CTNormalization"], "normalization_schemes"),
        (configuration, "use_mask_for_norm", [False], "use_mask_for_norm"),
        (configuration, "resampling_fn_data", "evil", "resampling_fn_data is 'evil'"),
        (configuration, "resampling_fn_probabilities_kwargs", {"order": 5}, "is_seg is None"),
        (lambda p: p, "image_reader_writer", "EvilIO", "image_reader_writer"),
        (lambda p: p, "label_manager", "EvilManager", "label_manager"),
        (lambda p: p, "transpose_forward", [0, 2, 1], "transpose_forward"),
        (lambda p: p, "configurations", {"3d_fullres": 1}, "no object"),
    ],
)
def test_plans_that_ask_for_other_things(
    place: Callable[[Any], dict[str, Any]], key: str, value: Any, words: str, bundle: Path
) -> None:
    plans = PLAN.to_plans()
    place(plans)[key] = value
    put(bundle, "plans.json", json.dumps(plans).encode())
    refused(bundle, words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channel_names": {"0": "CT"}}, "other than MRI"),
        ({"channel_names": {"7": "MRI"}}, "not numbered"),
        ({"channel_names": {}}, "not numbered"),
        ({"labels": {"background": 0, "tumour": 10**9}}, "labels are not numbered"),
        ({"labels": {"background": 0, "tumour": [1, 2]}}, "labels are not numbered"),
        ({"labels": {"background": False, "tumour": True}}, "labels are not numbered"),
        ({"labels": {"tumour": 0, "background": 1}}, "not a background"),
        ({"labels": {"background": 0, "ignore": 1}}, "does not give"),
        ({"labels": {"background": 0, **{str(k): k for k in range(1, 299)}}}, "1 to 255"),
        ({"regions_class_order": [1]}, "regions"),
    ],
)
def test_descriptions_that_ask_for_other_things(
    changes: dict[str, Any], words: str, bundle: Path
) -> None:
    content = json.dumps({**PLAN.to_description(), **changes})
    put(bundle, "dataset.json", content.encode())
    refused(bundle, words)


def test_what_nobody_reads_may_be_anything() -> None:
    plans = {**PLAN.to_plans(), "experiment_planner_used": "os.system", "more": 1}
    assert NetworkPlan.from_nnunet(plans, PLAN.to_description()) == PLAN


# ---------------------------------------------------------------------- the weights


def weights(bundle: Path) -> dict[str, torch.Tensor]:
    return load((bundle / WEIGHTS).read_bytes())


def filled(value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda tensor: torch.full_like(tensor, value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (filled(torch.nan), "not finite"),
        (filled(torch.inf), "not finite"),
        (lambda tensor: tensor.float(), "is of type torch.float32, not torch.float16"),
        (lambda tensor: tensor.to(torch.int16), "is of type torch.int16"),
        (lambda tensor: tensor[:-1].contiguous(), "has shape"),
        (lambda tensor: tensor.flatten(), "has shape"),
    ],
)
def test_weights_of_other_kinds(
    change: Callable[[torch.Tensor], torch.Tensor], words: str, bundle: Path
) -> None:
    found = weights(bundle)
    name = next(name for name in found if found[name].ndim == 5)
    found[name] = change(found[name])
    put(bundle, WEIGHTS, save(found))
    refused(bundle, words)


def test_weights_that_are_missing_or_too_many(bundle: Path) -> None:
    found = weights(bundle)
    put(bundle, WEIGHTS, save({**found, "more": torch.zeros(1, dtype=torch.float16)}))
    refused(bundle, "no place for")
    found.pop(next(iter(found)))
    put(bundle, WEIGHTS, save(found))
    refused(bundle, "is missing")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04cos\nsystem\n(S'echo'\ntR.",  # a pickle
        struct.pack("<Q", 2**60) + b"{}",
        struct.pack("<Q", 4) + b"{[}]",
        struct.pack("<Q", 70)
        + b'{"a":{"dtype":"F16","shape":[9999999999],"data_offsets":[0,9999999999]}}'[:70],
    ],
)
def test_files_that_are_no_weights(data: bytes, bundle: Path) -> None:
    put(bundle, WEIGHTS, data)
    refused(bundle, WEIGHTS)


def test_a_plan_of_a_large_network_takes_no_memory(bundle: Path) -> None:
    plan = replace(
        PLAN,
        features=(512,) * 8,
        kernel_sizes=((3, 3, 3),) * 8,
        strides=((1, 1, 1),) * 8,
        convolutions=(8,) * 8,
        decoder_convolutions=(8,) * 7,
    )
    put(bundle, "plans.json", json.dumps(plan.to_plans()).encode())
    refused(bundle, "no place for|is missing|has shape")


# ---------------------------------------------------------------------- the app's own networks


def test_networks_of_a_run_go_through_the_same_door(tmp_path: Path) -> None:
    folder = write_untrained(tmp_path / "senior")
    plans = PLAN.to_plans()
    configuration(plans)["architecture"]["network_class_name"] = "os.system"
    (folder / "plans.json").write_text(json.dumps(plans))
    with pytest.raises(UnavailableError, match="none that this version knows"):
        read_network(folder)
