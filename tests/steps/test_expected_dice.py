"""What methods text, pages and tables say of the Dice that is to be expected of a mask."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from synthtumour_bids.methods.trust_words import calibration_words
from synthtumour_bids.reports.facts import expected_facts
from synthtumour_bids.segmentation.calibration import Calibration
from synthtumour_bids.segmentation.expected_dice import DiceLine
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.segmentation.presence import Presence
from synthtumour_bids.steps.calibration_report import calibration_facts
from synthtumour_bids.steps.measurements import expected_dice
from tests.builders.jobs import write_network
from tests.builders.training import CALIBRATION

LINE = DiceLine(0.1, 0.5, 0.2, 79)
BEFORE = DiceLine(0.1, 0, 0.12, 12, planted=(0.5, 0.1, 0.2))


def calibration(line: DiceLine | None, temperature: float = 1.5) -> Calibration:
    return replace(CALIBRATION, expected_dice=line, temperature=temperature)


@pytest.mark.parametrize("temperature", [1.0, 1.5])
@pytest.mark.parametrize("line", [LINE, BEFORE, None])
def test_methods_tell_what_was_done(
    line: DiceLine | None, temperature: float, tmp_path: Path
) -> None:
    network = write_network(tmp_path / "senior", calibration=calibration(line, temperature))
    said = calibration_words(ModelCard.read(network), lambda _: "[1]")
    assert ("divided by a temperature" in said) == (temperature != 1)
    assert ("probability of at least 0.9" in said) == (line is LINE)


def test_the_training_report_tells_what_it_is_worth() -> None:
    said = [
        dict(calibration_facts(calibration(line)))["Expected Dice"] for line in (LINE, BEFORE, None)
    ]
    assert "within 0.20" in said[0]
    assert [words.startswith("not known") for words in said] == [False, True, True]


def test_nothing_is_expected_of_a_mask_where_there_is_no_tumour() -> None:
    known = calibration(LINE)
    yes, no = (expected_dice(0.5, known, one) for one in (Presence.YES, Presence.NO))
    assert yes["expected_dice"] == 0.35
    assert (no["expected_dice"], no["expected_dice_high"], no["sure_share"]) == (None, None, 0.5)


@pytest.mark.parametrize(
    ("result", "sidecar", "said"),
    [
        ({"expected_dice": None, "tumour_present": "no"}, {"ExpectedDice": {"Masks": 9}}, None),
        ({"expected_dice": None}, {"ExpectedDice": {"Masks": 9}}, "too little is marked"),
        ({"expected_dice": None}, {"ExpectedDice": {"Skipped": "why"}}, "not known: why"),
        ({"expected_dice": None}, {"ReplantTest": {"Skipped": "why"}}, "not known: why"),
        ({"expected_dice": None}, {}, None),
        ({"expected_dice": 0.7}, {"ReplantTest": {"Ground": "half"}}, "0.70 (nine of ten"),
    ],
)
def test_a_page_says_why_none_is_known(
    result: dict[str, Any], sidecar: dict[str, Any], said: str | None
) -> None:
    ends = {"expected_dice_low": 0.6, "expected_dice_high": 0.8}
    facts = expected_facts({"tumour_present": "yes"} | ends | result, sidecar)
    assert [said is not None and said in words for _, words in facts] == [True] * (said is not None)
