"""What a mask encloses: what it surrounds in nearly all directions, gaps or not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from synthtumour_bids.synthesis.enclosure import DIRECTIONS, enclosed
from synthtumour_bids.synthesis.geometry import Mask
from synthtumour_bids.synthesis.pseudo_labels import assess, final_criteria

SHARE = 0.8
X, Y, Z = np.indices((31, 33, 29)) - np.array([15, 16, 14])[:, None, None, None]
RADIUS = np.sqrt(X**2 + Y**2 + Z**2)
SHELL = (RADIUS < 12) & (RADIUS > 7)
MASKS = arrays(bool, (5, 6, 4), elements=st.sampled_from((False, False, True)))


def by_walking(mask: Mask, share: float) -> Mask:
    """Voxel by voxel, step by step."""
    out = mask.copy()
    for voxel in np.argwhere(~mask):
        seen = 0
        for step in DIRECTIONS:
            place = voxel + step
            while (place >= 0).all() and (place < mask.shape).all():
                if mask[tuple(place)]:
                    seen += 1
                    break
                place = place + step
        out[tuple(voxel)] = seen >= share * len(DIRECTIONS)
    return out


@given(MASKS, st.sampled_from((0.7, SHARE, 1.0)))
def test_it_is_what_walking_finds(mask: Mask, share: float) -> None:
    np.testing.assert_array_equal(enclosed(mask, share), by_walking(mask, share))


def test_an_empty_mask_encloses_nothing() -> None:
    assert not enclosed(np.zeros((3, 4, 5), bool), SHARE).any()


def test_the_inside_of_a_shell_with_a_gap_is_filled() -> None:
    gap = (np.hypot(Y, Z) < 3) & (X > 0)
    filled = enclosed(SHELL & ~gap, SHARE)
    assert filled[RADIUS < 7].all()
    assert not filled[RADIUS > 12].any()


def test_most_of_a_bowl_stays_open() -> None:
    bowl = SHELL & (X < 0)
    added = enclosed(bowl, SHARE) & ~bowl
    assert np.count_nonzero(added) < 0.15 * np.count_nonzero((RADIUS <= 7) & (X < 0))


@pytest.mark.parametrize(("lesion", "filled"), [("glioma", True), ("metastasis", False)])
def test_a_mask_holds_what_it_encloses_and_is_judged_without_it(lesion: str, filled: bool) -> None:
    gap = (np.hypot(Y, Z) < 3) & (X > 0)
    brain = RADIUS < 14
    brain[15:17, 15:17, 14] = False  # a hole in the brain mask stays one
    said = np.where(SHELL & ~gap, 0.9, 0.1)
    found = assess(said, brain, (2, 2, 2), criteria=final_criteria(lesion, SHARE))
    core = (RADIUS < 7) & brain
    assert found.mask[core].all() if filled else not found.mask[core].any()
    assert not found.mask[~brain].any()
    assert found.stats["confidence"] == pytest.approx(0.9)
    assert (found.stats["filled_mL"] > 10) == filled
