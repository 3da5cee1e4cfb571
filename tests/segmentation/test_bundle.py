"""Bundles: what is written is read again, and nothing that is wrong with one gets through."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.segmentation.bundle import About, check_bundle
from synthtumour_bids.segmentation.bundle_writing import write_bundle
from synthtumour_bids.segmentation.model_card import (
    CARD,
    MOST_BUNDLE_BYTES,
    WEIGHTS,
    Model,
    ModelCard,
)
from synthtumour_bids.segmentation.network import Network
from synthtumour_bids.segmentation.network_plan import ARCHITECTURES, NetworkPlan
from synthtumour_bids.segmentation.trained_network import read_checkpoint, read_network
from tests.builders.blob_cases import blob_brain
from tests.builders.networks import SHAPE, VOXEL
from tests.builders.starters import (
    ABOUT,
    PLAN,
    change_card,
    put,
    write_starter,
    write_untrained,
)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_starter(tmp_path)


def refused(folder: Path, words: str) -> None:
    with pytest.raises(UnavailableError, match=words) as caught:
        read_network(folder)
    message = str(caught.value)
    assert message.startswith(f"The network in {folder} cannot be used: ")
    assert "\n" not in message
    assert len(message) < 800


# ---------------------------------------------------------------------- whole ones


def test_a_network_and_its_bundle_say_the_same(model: Path, tmp_path: Path) -> None:
    bundle = write_starter(tmp_path, model)
    data, _ = blob_brain(77, SHAPE)
    one, other = (
        Network(folder, device="cpu", mirroring=True).probabilities(data[None], (VOXEL,) * 3)[0]
        for folder in (model, bundle)
    )
    assert one.max() > 0.9
    np.testing.assert_allclose(one, other, atol=0.01)
    assert ((one >= 0.5) == (other >= 0.5)).mean() > 0.999


def test_a_bundle_is_small_and_tells_what_it_is(bundle: Path) -> None:
    assert bundle.name == "starter-flair-4mm-1.0"
    assert sorted(path.name for path in bundle.iterdir()) == [
        "dataset.json",
        "model.json",
        "plans.json",
        WEIGHTS,
    ]
    assert {one.dtype for one in load((bundle / WEIGHTS).read_bytes()).values()} == {torch.float16}
    card = check_bundle(bundle)
    assert card == ModelCard.read(bundle)
    assert (card.name, card.contrast, card.resolution) == ("starter", "FLAIR", 4.0)
    assert About.from_details(card.details) == ABOUT
    assert "McGill" in (bundle / CARD).read_text()
    network = read_network(bundle)
    assert network.mirror_axes == (2,)
    assert network.plan == PLAN
    assert {one.dtype for one in network.weights.values()} == {torch.float32}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_goes_there_and_back(architecture: str, tmp_path: Path) -> None:
    plan = replace(PLAN, architecture=architecture, convolutions=(1, 2), contrasts=2)
    source = write_untrained(tmp_path / "source", plan, more_contrasts=("T1w",))
    before = read_checkpoint(source)
    write_bundle(Model("senior", source), tmp_path / "bundle", ABOUT)
    after = read_network(tmp_path / "bundle")
    assert after.plan == before.plan == plan
    assert after.weights.keys() == before.weights.keys()
    image = torch.rand(1, 2, 16, 16, 16)
    with torch.inference_mode():
        one, other = (network.build()(image) for network in (before, after))
    torch.testing.assert_close(one, other, atol=0.02, rtol=0.01)


def test_a_bundle_is_not_written_over_another(bundle: Path, tmp_path: Path) -> None:
    source = write_untrained(tmp_path / "source")
    with pytest.raises(UnavailableError, match="there already"):
        write_bundle(Model("senior", source), bundle, ABOUT)


def test_networks_that_do_not_fit_are_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model("senior", write_untrained(tmp_path / "source"))
    monkeypatch.setattr("synthtumour_bids.segmentation.bundle_writing.MOST_BUNDLE_BYTES", 1000)
    with pytest.raises(UnavailableError, match="more than the"):
        write_bundle(model, tmp_path / "bundle", ABOUT)
    assert not (tmp_path / "bundle").exists()


# ---------------------------------------------------------------------- files


@pytest.mark.parametrize("name", [CARD, "plans.json", "dataset.json", WEIGHTS])
def test_no_file_is_followed_out_of_the_folder(name: str, bundle: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (bundle / name).rename(outside)
    (bundle / name).symlink_to(outside)
    refused(bundle, f"{name} is a link")
    (bundle / name).unlink()
    os.mkfifo(bundle / name)
    refused(bundle, f"{name} is no regular file")


@pytest.mark.parametrize(
    ("presence", "reason"),
    [
        (3, "Presence is no object"),
        ({"Source": "heads"}, "Likeness is missing"),
        ({"Source": "heads", "Likeness": {"1": 0.5}}, "1 persons, fewer than 19"),
        ({"Source": "heads", "Likeness": {"1": -1}}, "not a number from 0"),
    ],
)
def test_what_tumour_free_heads_look_like_is_checked(
    presence: object, reason: str, bundle: Path
) -> None:
    change_card(bundle, Presence=presence)
    refused(bundle, reason)


@pytest.mark.parametrize("name", [CARD, "plans.json", "dataset.json"])
def test_files_that_are_missing(name: str, bundle: Path) -> None:
    (bundle / name).unlink()
    refused(bundle, f"{name} cannot be read")


@pytest.mark.parametrize("name", ["plans.json", "dataset.json", WEIGHTS])
def test_other_files_than_the_card_tells_of(name: str, bundle: Path) -> None:
    data = bytearray((bundle / name).read_bytes())
    data[-1] ^= 1
    (bundle / name).write_bytes(data)
    refused(bundle, f"{name} is not the file that model.json tells of")


def test_the_card_names_no_files_of_its_own(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    change_card(bundle, Files={"../../secret": "0", "/etc/passwd": "0"})
    refused(bundle, "model.json lacks 'dataset.json'")


def test_files_are_bounded(bundle: Path) -> None:
    put(bundle, WEIGHTS, bytes(MOST_BUNDLE_BYTES + 1))
    refused(bundle, f"{WEIGHTS} is larger than")


@pytest.mark.parametrize("name", [CARD, "plans.json", "dataset.json"])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "brackets inside one another"),
        (b'{"a": "' + b"x" * 2_000_000 + b'"}', "is larger than 1 MB"),
        (b'{"a": NaN}', "is no JSON"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "is no JSON"),
        (b"[1]", "is no JSON object"),
        (b"{", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
    ],
)
def test_json_is_bounded_in_depth_and_size(
    name: str, data: bytes, words: str, bundle: Path
) -> None:
    if name == CARD:
        (bundle / CARD).write_bytes(data)
    else:
        put(bundle, name, data)
    refused(bundle, f"{name}.*{words}")


# ---------------------------------------------------------------------- the card


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Schema": 3}, r"a newer version wrote it \(schema 3, this reads 2\)"),
        ({"Schema": "2"}, "schema '2', while"),
        ({"Template": "MNI305"}, "another template"),
        ({"Contrast": "CT"}, "does not know"),
        ({"Lesion": "abscess"}, "does not know"),
        ({"Lesion": ["glioma"]}, "not a text"),
        ({"Resolution": 1.0}, "differ in resolution"),
        ({"Resolution": 1e999}, "no number|Infinity"),
        ({"MoreContrasts": ["T1w"]}, "differ in contrasts"),
        ({"Fingerprint": "0" * 16}, "fingerprint"),
        ({"Seed": "one"}, "Seed is 'one', not a whole number"),
        ({"Files": []}, "."),
        ({"Version": "1.0/../.."}, "not made of numbers"),
        ({"Data": 7}, "Data is 7, not a text"),
        ({"Notices": "x"}, "Notices is 'x', not a list"),
        ({"Figures": [1]}, "Figures is no list of objects"),
        ({"MirrorAxes": [3]}, "MirrorAxes is 3"),
        ({"MirrorAxes": [-1]}, "MirrorAxes is -1"),
        ({"MirrorAxes": [2, 2]}, "different axes"),
        ({"MirrorAxes": [True]}, "MirrorAxes is True"),
        ({"MirrorAxes": "012"}, "different axes"),
    ],
)
def test_cards_that_cannot_be_used(changes: dict[str, Any], words: str, bundle: Path) -> None:
    change_card(bundle, **changes)
    refused(bundle, words)


def test_numbers_beyond_all_bounds(bundle: Path) -> None:
    text = (bundle / CARD).read_text().replace('"BestEpoch": 0', '"BestEpoch": 1e999')
    (bundle / CARD).write_text(text)
    refused(bundle, "BestEpoch is inf, not a whole number")


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
