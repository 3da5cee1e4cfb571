"""The benchmark of the expected Dice, on tables that are known."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks import expected_dice
from benchmarks.expected_dice import Known
from synthtumour_bids.reports.group import write_tables


def test_it_reads_tables_and_tells_bad_masks(tmp_path: Path) -> None:
    dice = {"a": 0.5, "b": 0.7, "c": 0.8, "d": 0.9}
    expected = {"a": 0.55, "b": 0.85, "c": 0.8, "d": 0.88}
    results = [
        {
            "participant_id": f"sub-{name}",
            "scan": f"sub-{name}_FLAIR",
            "dice": dice[name],
            "expected_dice": expected[name],
            "expected_dice_low": expected[name] - 0.1,
            "expected_dice_high": expected[name] + 0.1,
        }
        for name in dice
    ]
    untested = {"participant_id": "sub-e", "scan": "sub-e_FLAIR", "dice": 0.1}
    write_tables(tmp_path, [*results, untested], [])
    known = expected_dice.read_known(tmp_path)
    assert [one.dice for one in known] == list(dice.values())
    assert expected_dice.auc(known) == pytest.approx(3 / 4)  # b is told from d alone
    told = expected_dice.figures(known)
    assert "4 masks, 2 of them below 0.75" in told
    assert "hold the truth: 75%" in told
    assert math.isnan(expected_dice.auc([Known("x", 0.9, 0.8, 1, 0.9)]))
