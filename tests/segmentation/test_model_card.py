"""The card of a network: one reader, one writer, and what an earlier version wrote."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from synthtumour_bids.bids.classes import TumourClass
from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.methods.label_free.recipes import RECIPES
from synthtumour_bids.methods.registry import border_evidence, method_of_card
from synthtumour_bids.segmentation.model_card import CARD, CHECKPOINT, ModelCard
from synthtumour_bids.settings import STARTER
from synthtumour_bids.synthesis.borders import Evidence
from tests.builders.jobs import write_network

OLDER = {
    "Name": "senior",
    "Fingerprint": "recipe",
    "Contrast": "FLAIR",
    "Lesion": "glioma",
    "Preset": "default",
    "Profile": "fast",
    "Resolution": 2.0,
    "Seed": 527,
    "Training": {"epochs": 24},
    "BestEpoch": 7,
}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    classes = (TumourClass(1, "oedema"), TumourClass(3, "core", "CO", "#ff0000"))
    folder = write_network(
        tmp_path / "senior",
        classes=classes,
        more_contrasts=("T1w",),
        held_out=("01",),
        best_epoch=3,
        versions={"torch": "2"},
        details={"BorderRefinement": None, "SemiSupervised": True},
    )
    card = ModelCard.read(folder)
    assert (card.classes, card.more_contrasts, card.held_out) == (classes, ("T1w",), ("01",))
    assert card.details == {"BorderRefinement": None, "SemiSupervised": True}
    before = (folder / CARD).read_bytes()
    card.write(folder)
    assert (folder / CARD).read_bytes() == before


@pytest.mark.parametrize(
    ("more", "evidence"),
    [
        ({}, Evidence()),
        ({"Method": "synthtumour", "Preset": "reference"}, None),
        ({"Method": "fabrication"}, None),
    ],
)
def test_cards_of_the_version_before_keep_their_meaning(
    tmp_path: Path, more: dict[str, str], evidence: Evidence | None
) -> None:
    folder = write_network(tmp_path / "senior")
    now = ModelCard.read(folder)
    (folder / CARD).write_text(json.dumps({**OLDER, **more}))
    card = ModelCard.read(folder)
    assert card.recipe == "recipe"
    assert card.fingerprint == now.fingerprint, "what mask sidecars name: the hash of the weights"
    assert (card.profile, card.best_epoch) == ("fast", 7)
    assert border_evidence(card) == evidence
    assert method_of_card(card).enclosed(card) == 1, "its masks were open, and so were its labels"


@pytest.mark.parametrize(
    ("contrast", "share"), [("FLAIR", RECIPES["default"].enclosed), ("T2w", 1.0)]
)
def test_what_masks_enclose_is_added_by_networks_that_learned_so(
    tmp_path: Path, contrast: str, share: float
) -> None:
    card = ModelCard.read(write_network(tmp_path / "senior", method="synthtumour"))
    method = method_of_card(card)
    assert method.enclosed(replace(card, details={"Enclosed": 0.8})) == 0.8
    assert method.enclosed(replace(card, name=STARTER, contrast=contrast)) == share


def test_a_missing_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"No trained senior .*checkpoint_best"):
        ModelCard.read(tmp_path / "senior")


def test_other_weights_than_the_card_tells_of_are_refused(tmp_path: Path) -> None:
    folder = write_network(tmp_path / "senior")
    (folder / CHECKPOINT).write_text("others")
    with pytest.raises(UnavailableError, match=r"are not those that .*Copy the folder again"):
        ModelCard.read(folder)


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "{}", json.dumps({**OLDER, "Resolution": "x"}), json.dumps({**OLDER, "Schema": 9})],
)
def test_a_card_that_cannot_be_read_is_told(tmp_path: Path, text: str) -> None:
    folder = write_network(tmp_path / "senior")
    (folder / CARD).write_text(text)
    with pytest.raises(UnavailableError, match="is not the card of a network trained by"):
        ModelCard.read(folder)


def test_an_unknown_method_is_refused(tmp_path: Path) -> None:
    card = ModelCard.read(write_network(tmp_path / "senior", method="alchemy"))
    with pytest.raises(UnavailableError, match="does not know: alchemy"):
        border_evidence(card)
