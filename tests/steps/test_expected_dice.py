"""What methods text, pages and tables say of the Dice that is to be expected of a mask."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from synthtumour_bids.methods.replanting import NO_SAY, Replanted
from synthtumour_bids.methods.trust_words import calibration_words
from synthtumour_bids.reports.facts import expected_facts
from synthtumour_bids.segmentation.calibration import Calibration
from synthtumour_bids.segmentation.expected_dice import DiceLine
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.segmentation.presence import Presence
from synthtumour_bids.steps.calibration_report import calibration_facts
from synthtumour_bids.steps.measurements import expected_dice
from synthtumour_bids.synthesis.replanting import Overlaps
from tests.builders.jobs import write_network
from tests.builders.training import CALIBRATION

SURE_ALONE = DiceLine(0.1, 0, 0, 0, 0.2, 79, sure=0.5)
BOTH = DiceLine(0.1, 0.5, 0.1, 0.2, 0.12, 12, sure=0.1)
BEFORE = DiceLine(0.1, 0.5, 0.1, 0.2, 0.12, 12)
TEST = Replanted(Overlaps(0.4, 0.3, 0.5), "the healthy half")


def calibration(line: DiceLine | None, temperature: float = 1.5) -> Calibration:
    return replace(CALIBRATION, expected_dice=line, temperature=temperature)


def words(folder: Path, found: Calibration) -> str:
    """What the methods text says of a network with this calibration."""
    card = ModelCard.read(write_network(folder / "senior", calibration=found))
    return calibration_words(card, lambda _: "[1]")


@pytest.mark.parametrize(
    ("line", "sure", "planted"),
    [(SURE_ALONE, True, False), (BOTH, True, True), (BEFORE, False, True)],
)
def test_what_has_a_say_is_named(line: DiceLine, sure: bool, planted: bool, tmp_path: Path) -> None:
    said = words(tmp_path, calibration(line))
    assert ("probability of at least 0.9" in said, "planted" in said) == (sure, planted)
    fact = dict(calibration_facts(calibration(line)))["Expected Dice"]
    assert ("how sure" in fact, "replant test" in fact) == (sure, planted)


@pytest.mark.parametrize("temperature", [1.0, 1.5])
def test_maps_that_stay_as_they_are_were_divided_by_nothing(
    temperature: float, tmp_path: Path
) -> None:
    said = words(tmp_path, calibration(None, temperature))
    assert ("divided by a temperature" in said) == (temperature != 1)


def test_nothing_is_expected_of_a_mask_where_there_is_no_tumour() -> None:
    yes, no = (
        expected_dice(0.5, TEST, calibration(BOTH), present)
        for present in (Presence.YES, Presence.NO)
    )
    assert yes["expected_dice"] == 0.48  # .1 + .5 * .4 + .1 * .3 + .2 * .5 + .1 * .5
    assert (no["expected_dice"], no["expected_dice_high"], no["sure_share"]) == (None, None, 0.5)


@pytest.mark.parametrize(
    ("result", "test", "said"),
    [
        ({"expected_dice": None, "tumour_present": "no", "sure_share": 0.5}, {}, None),
        ({"expected_dice": None, "sure_share": None}, {"Skipped": NO_SAY}, "too little is marked"),
        ({"expected_dice": None, "sure_share": 0.5}, {"Skipped": "why"}, "not known: why"),
        ({"expected_dice": None}, {"Skipped": "why"}, "not known: why"),
        ({"expected_dice": 0.7}, {"Ground": "the healthy half"}, "planted into the healthy half"),
        ({"expected_dice": 0.7}, {"Skipped": NO_SAY}, "0.70 (nine of ten"),
    ],
)
def test_a_page_says_why_none_is_known(
    result: dict[str, Any], test: dict[str, Any], said: str | None
) -> None:
    ends = {"expected_dice_low": 0.6, "expected_dice_high": 0.8}
    facts = expected_facts({"tumour_present": "yes"} | ends | result, test)
    if said is None:
        assert not facts
    else:
        ((_, words),) = facts
        assert said in words
        assert ("planted" in words) == ("Ground" in test)
