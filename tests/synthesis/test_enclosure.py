"""What a mask encloses: what it surrounds in nearly all directions, gaps or not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from synthtumour_bids.methods.label_free.recipes import RECIPES
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.enclosure import DIRECTIONS, add_enclosed, enclosed
from synthtumour_bids.synthesis.geometry import Mask

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


@given(MASKS)
def test_what_is_added_touches_the_mask(mask: Mask) -> None:
    scan = Brain(np.ones(mask.shape, np.float32), np.ones(mask.shape, bool), (2.0, 2.0, 2.0))
    whole = add_enclosed(mask, scan, 0.4)
    assert not (mask & ~whole).any()
    labels, count = ndimage.label(whole, np.ones((3, 3, 3)))
    assert len(np.unique(labels[mask])) == count


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


def test_what_is_added_is_brain_and_no_fluid_and_nothing_that_was_refused() -> None:
    gap = (np.hypot(Y, Z) < 3) & (X > 0)
    mask, core = SHELL & ~gap, RADIUS < 7
    ventricle, hole, refused = core & (X < -3), core & (X > 4), core & (np.abs(Y) < 1) & (X == 0)
    image = np.random.default_rng(0).uniform(99, 101, mask.shape).astype(np.float32)
    image[ventricle] = 20
    scan = Brain(image, (RADIUS < 14) & ~hole, (2, 2, 2))
    added = add_enclosed(mask, scan, SHARE, refused) & ~mask
    np.testing.assert_array_equal(added[core], (~ventricle & ~hole & ~refused)[core])
    np.testing.assert_array_equal(add_enclosed(mask, scan, 1.0), mask)
    nothing = np.zeros_like(mask)
    assert not add_enclosed(nothing, scan, SHARE).any()


@pytest.mark.parametrize(
    ("preset", "lesion", "contrast", "share"),
    [
        ("default", "glioma", "FLAIR", SHARE),
        ("default", "glioma", "T2w", 1.0),
        ("default", "metastasis", "FLAIR", 1.0),
        ("reference", "glioma", "FLAIR", 1.0),
    ],
)
def test_it_is_added_where_it_was_tried(
    preset: str, lesion: str, contrast: str, share: float
) -> None:
    assert RECIPES[preset].enclosing(lesion, contrast) == share
