from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthtumour_bids.measures.change import (
    NUMBERS,
    Verdict,
    Voxel,
    change_between,
    change_map,
    scan_difference,
    smallest_measurable,
    sphere_radius,
)

VOLUMES = st.floats(0, 500)


def test_every_voxel_is_stable_new_or_gone() -> None:
    before, after = (np.array(values, bool)[None, None] for values in ([0, 1, 0, 1], [0, 1, 1, 0]))
    names = [None, *Voxel]
    found = [names[number] for number in change_map(before, after).ravel()]
    assert found == [None, Voxel.STABLE, Voxel.NEW, Voxel.GONE]


def test_a_ball_that_grew() -> None:
    radius = np.linalg.norm(np.indices((50, 50, 50)) - 24.5, axis=0)
    before, after = radius <= 15, radius <= 20
    change = change_between(
        before.sum() / 1000, after.sum() / 1000, change_map(before, after), 0.001, 0.5, 2.0
    )
    assert change.verdict is Verdict.GROWN
    assert change.radius_change_mm == pytest.approx(5, abs=0.1)
    assert change.radius_rate_mm_per_year == pytest.approx(10, abs=0.2)
    assert change.stable_mL + change.new_mL == pytest.approx(change.volume_mL)
    assert change.gone_mL == 0


def test_masks_in_other_places_say_nothing_about_growth() -> None:
    before, after = np.zeros((2, 10, 10, 100), bool)
    before[..., :50], after[..., 20:90] = True, True
    change = change_between(5.0, 7.0, change_map(before, after), 0.001, None, None)
    assert change.gone_mL == pytest.approx(2)
    assert change.smallest_measurable_mL == pytest.approx(4)
    assert change.verdict is Verdict.NOT_MEASURABLE


@pytest.mark.parametrize(
    ("brightened", "verdict"), [(0.2, Verdict.NOT_MEASURABLE), (2.0, Verdict.GROWN)]
)
def test_masks_that_differ_where_scans_do_not_say_nothing(
    brightened: float, verdict: Verdict, rng: np.random.Generator
) -> None:
    before, after = np.zeros((2, 20, 20, 20), bool)
    before[8:12, 8:12, 8:12], after[4:14, 4:14, 4:14] = True, True
    then, now = 100 + 10 * rng.standard_normal((2, *before.shape))
    then[before], now[after] = then[before] + 30, now[after] + 10 * brightened
    changes = change_map(before, after)
    # The second scanner has another scale.
    differ = scan_difference(then, 3 * now, changes == NUMBERS[Voxel.NEW], ~(before | after))
    assert differ == pytest.approx(brightened, abs=0.15)
    assert change_between(6.4, 100.0, changes, 0.1, None, None).verdict is Verdict.GROWN
    change = change_between(6.4, 100.0, changes, 0.1, None, differ)
    assert change.verdict is verdict


@given(VOLUMES, VOLUMES)
def test_no_change_is_told_within_what_a_repeated_scan_shows(before: float, after: float) -> None:
    nothing = np.zeros((1, 1, 1), np.uint8)
    there = change_between(before, after, nothing, 1, None, None)
    back = change_between(after, before, nothing, 1, None, None)
    measurable = abs(after - before) > smallest_measurable(before, after)
    assert (there.verdict is not Verdict.NOT_MEASURABLE) == measurable
    assert there.change_mL == -back.change_mL
    assert {there.verdict, back.verdict} in (
        {Verdict.NOT_MEASURABLE},
        {Verdict.GROWN, Verdict.SHRUNK},
    )
    assert (there.change_percent is None) == (before == 0)
    assert there.radius_rate_mm_per_year is None
    assert 4 / 3 * np.pi * sphere_radius(before) ** 3 == pytest.approx(1000 * before)
