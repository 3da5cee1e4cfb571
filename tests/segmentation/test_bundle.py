"""Bundles: what is written is read again, and files and cards that are wrong are refused."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.segmentation.bundle import About, check_bundle
from synthtumour_bids.segmentation.bundle_writing import write_bundle
from synthtumour_bids.segmentation.model_card import (
    CARD,
    MOST_BUNDLE_BYTES,
    WEIGHTS,
    Model,
    ModelCard,
    is_bundle,
)
from synthtumour_bids.segmentation.network import Network
from synthtumour_bids.segmentation.network_plan import ARCHITECTURES
from synthtumour_bids.segmentation.trained_network import read_checkpoint, read_network
from tests.builders.blob_cases import blob_brain
from tests.builders.networks import SHAPE, VOXEL
from tests.builders.starters import (
    ABOUT,
    PLAN,
    change_card,
    put,
    refused,
    write_starter,
    write_untrained,
)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_starter(tmp_path)


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


@pytest.mark.parametrize("name", [CARD, "plans.json", "dataset.json", WEIGHTS])
def test_files_that_are_missing(name: str, bundle: Path) -> None:
    (bundle / name).unlink()
    refused(bundle, f"{name} is missing")


def test_a_starter_that_was_trained_and_is_not_bundled_is_no_bundle(tmp_path: Path) -> None:
    folder = write_untrained(tmp_path / "model", name="starter")
    assert not is_bundle(folder)
    assert read_network(folder).plan == PLAN


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
        ({"Name": "senior"}, "calls itself 'senior', not 'starter'"),
        (
            {"BorderRefinement": {"foo": 1}},
            "BorderRefinement has 'foo', which this version does not",
        ),
        (
            {"BorderRefinement": {"reach_mm": "12"}},
            "BorderRefinement reach_mm is '12', not a number",
        ),
        ({"BorderRefinement": {"limit": -1}}, "BorderRefinement limit is -1, not a number from 0"),
        ({"BorderRefinement": [2.0]}, "BorderRefinement is missing or no object"),
        ({"Enclosed": "abc"}, "Enclosed is 'abc', not a number"),
        ({"Enclosed": 0}, "Enclosed is 0, not a number"),
        ({"Enclosed": None}, "Enclosed is None, not a number"),
    ],
)
def test_cards_that_cannot_be_used(changes: dict[str, Any], words: str, bundle: Path) -> None:
    change_card(bundle, **changes)
    refused(bundle, words)


def test_numbers_beyond_all_bounds(bundle: Path) -> None:
    text = (bundle / CARD).read_text().replace('"BestEpoch": 0', '"BestEpoch": 1e999')
    (bundle / CARD).write_text(text)
    refused(bundle, "BestEpoch is inf, not a whole number")
