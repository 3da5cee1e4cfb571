"""Whether there is a tumour at all, and what that is judged by."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.segmentation.likeness import LEAST_EXCESS, excess_of, tumour_likeness
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.segmentation.other_side_rules import ComponentVerdict, Reason
from synthtumour_bids.segmentation.presence import (
    FEWEST_PERSONS,
    UNLIKELY,
    UNSURE,
    Controls,
    Presence,
    judge,
)
from synthtumour_bids.segmentation.presence_file import (
    IN_CARD,
    PRESENCE,
    read_controls,
    write_controls,
)
from tests.builders.jobs import write_network

likenesses = st.lists(st.floats(0, 1000), min_size=FEWEST_PERSONS + 1, max_size=60)


def calibration(values: list[float]) -> Controls:
    return Controls("tumour-free scans", {f"raw/{n:03d}": v for n, v in enumerate(values)})


@given(values=likenesses)
def test_at_most_one_in_twenty_tumour_free_persons_is_called_a_tumour(values: list[float]) -> None:
    """Whatever they look like: each is judged by the others, as a new one like them would be."""
    everyone = calibration(values)
    called = [
        judge(1.0, value, everyone, person).present is Presence.YES
        for person, value in everyone.likeness.items()
    ]
    assert sum(called) <= 0.05 * len(values)


@given(values=likenesses, likeness=st.floats(0, 1000), more=st.floats(0, 1000))
def test_more_like_a_tumour_is_never_less_of_one(
    values: list[float], likeness: float, more: float
) -> None:
    known = calibration(values)
    less, greater = (judge(1.0, one, known, "new").p for one in (likeness, likeness + more))
    assert less is not None
    assert greater is not None
    assert 1 / (len(values) + 1) - 1e-4 <= greater <= less <= 1


@pytest.mark.parametrize(
    ("volume", "likeness", "present", "flags"),
    [
        (5.0, 100.0, Presence.YES, ()),
        (5.0, 18.5, Presence.UNSURE, (UNSURE,)),  # p = .1
        (5.0, 2.0, Presence.NO, (UNLIKELY,)),
        (0.0, 0.0, Presence.NO, ()),
        (0.0, 100.0, Presence.NO, (UNSURE,)),  # which another network found
    ],
)
def test_verdicts(
    volume: float, likeness: float, present: Presence, flags: tuple[str, ...]
) -> None:
    known = calibration([float(value) for value in range(FEWEST_PERSONS + 1)])
    verdict = judge(volume, likeness, known, "new")
    assert (verdict.present, verdict.flags, verdict.n) == (present, flags, FEWEST_PERSONS + 1)


@pytest.mark.parametrize(
    ("reason", "excess"),
    [
        (Reason.BRIGHT_ACROSS, 3.0),
        (Reason.BRIGHTER_REMAINDER, LEAST_EXCESS),
        (Reason.CONFIRMED, LEAST_EXCESS),
        (Reason.LIKE_OTHER_SIDE, 0.0),
    ],
)
def test_what_is_alike_on_both_sides_counts_by_why_it_stays(reason: Reason, excess: float) -> None:
    verdict = ComponentVerdict(reason, 30.0, (0.0, 0.0, 0.0), difference=0.2, brightness=3.0)
    assert excess_of(verdict) == excess


def test_without_enough_persons_there_is_no_p() -> None:
    assert judge(3.0, 50.0, None, "new").to_json() == {
        "TumourPresent": "unsure",
        "PresenceP": "n/a",
        "PresenceCalibration": {},
    }
    assert judge(0.0, 0.0, None, "new").present is Presence.NO
    just_enough = calibration([0.0] * FEWEST_PERSONS)
    assert judge(3.0, 50.0, just_enough, "new").present is Presence.YES
    among = judge(3.0, 50.0, just_enough, "raw/000")
    assert (among.present, among.n) == (Presence.UNSURE, 18), "nobody is compared with oneself"
    assert judge(3.0, 50.0, just_enough, None).n == 19
    with pytest.raises(ValueError, match="18 persons, fewer than 19"):
        calibration([0.0] * 18)


def test_it_is_stored_with_its_network_and_checked(tmp_path: Path) -> None:
    card = ModelCard.read(write_network(tmp_path / "senior"))
    assert read_controls(tmp_path, card) is None
    known = calibration([1.23456, *[0.0] * 19])
    path = write_controls(tmp_path, card, known)
    read = read_controls(tmp_path, card)
    assert read is not None
    assert read.likeness["raw/000"] == 1.2346
    content = json.loads(path.read_text())
    for wrong in (
        {},
        {**content, "Likeness": {**content["Likeness"], "x": -1}},
        {**content, "Source": 3},
    ):
        path.write_text(json.dumps(wrong))
        with pytest.raises(UnavailableError, match=PRESENCE):
            read_controls(tmp_path, card)
    path.write_text(json.dumps({**content, "Network": "another"}))
    assert read_controls(tmp_path, card) is None
    assert IN_CARD not in card.details


# ---------------------------------------------------------------------- likeness


def verdict(reason: Reason, difference: float | None, brightness: float | None) -> ComponentVerdict:
    return ComponentVerdict(reason, 1.0, (0.0, 0.0, 0.0), difference, brightness)


def test_the_strongest_part_that_stays_counts() -> None:
    mask = np.zeros((20, 20, 20), bool)
    mask[:5, :5, :4] = True  # 100 voxels, dropped
    mask[10:15, :5, :2] = True  # 50 voxels
    mask[10:12, 10:15, :2] = True  # 20 voxels
    probability = np.where(mask, 0.5, 0.0)
    verdicts = [
        verdict(Reason.LIKE_OTHER_SIDE, 0.2, 3.0),
        verdict(Reason.BRIGHTER, 2.0, 1.0),
        verdict(Reason.BRIGHT_ACROSS, 0.0, 3.0),
    ]
    found = tumour_likeness(probability, mask, verdicts, (10.0, 10.0, 10.0))
    assert found == pytest.approx(50 * 0.5 * 2.0)
    assert tumour_likeness(probability, mask, [], (10.0, 10.0, 10.0)) == pytest.approx(
        100 * 0.5 * LEAST_EXCESS
    )
    assert tumour_likeness(probability, np.zeros_like(mask), [], (1.0, 1.0, 1.0)) == 0
    with pytest.raises(ValueError, match="2 verdicts do not fit a mask with 3 parts"):
        tumour_likeness(probability, mask, verdicts[:2], (1.0, 1.0, 1.0))
