from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.healthy_half import MAX_SUSPECT, SEAM_MM, mirror_healthy_half
from tests.builders.ellipsoid import ellipsoid_brain

IMAGE, BRAIN, SPACING = ellipsoid_brain((4.0, 4.0, 4.0), seed=1)


def ball(centre, radius_mm, shape=BRAIN.shape):
    grid = np.indices(shape)
    distance = np.sqrt(sum(((g - c) * 4.0) ** 2 for g, c in zip(grid, centre, strict=True)))
    return distance <= radius_mm


@given(
    side=st.sampled_from([0, 1]),
    depth_mm=st.integers(24, 40),
    radius_mm=st.integers(4, 12),
    odd=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_no_tumour_is_left_and_the_rest_is_the_scan(side, depth_mm, radius_mm, odd):
    image, brain = (a[1:-1] if odd else a[1:] for a in (IMAGE, BRAIN))
    middle = (brain.shape[0] - 1) / 2
    centre = (middle + (1 if side else -1) * depth_mm / 4, 22, 18)
    tumour = ball(centre, radius_mm, brain.shape) & brain
    scan = np.where(tumour, 500, image).astype(np.float32)
    half = mirror_healthy_half(Brain(scan, brain, SPACING), tumour.astype(np.float32))
    assert half is not None
    assert half.side == ("low" if side else "high")
    assert half.brain.image.dtype == np.float32
    assert half.brain.image.max() < 300  # the tumour is gone
    assert not half.brain.image[~half.brain.mask].any()
    np.testing.assert_array_equal(half.brain.mask, half.brain.mask[::-1])
    offset = (np.arange(brain.shape[0]) - middle) * SPACING[0]
    own = offset > SEAM_MM if half.side == "high" else offset < -SEAM_MM
    np.testing.assert_array_equal(half.brain.image[own], scan[own])
    np.testing.assert_array_equal(half.brain.image[::-1][own], scan[own])


@given(reach_mm=st.integers(0, 12), radius_mm=st.integers(10, 16), side=st.sampled_from([-1, 1]))
@settings(max_examples=25, deadline=None)
def test_no_tumour_is_left_at_the_midline(reach_mm, radius_mm, side):
    image, brain = IMAGE[1:], BRAIN[1:]  # two voxels meet at the midline
    middle = (brain.shape[0] - 1) / 2
    tumour = ball((middle + side * (radius_mm + reach_mm) / 4, 22, 18), radius_mm, brain.shape)
    tumour &= brain & ((np.arange(brain.shape[0]) - middle)[:, None, None] * side > 0)
    scans = [Brain(one, brain, SPACING) for one in (image, np.where(tumour, 500, image))]
    without, half = (mirror_healthy_half(scan, tumour.astype(np.float32)) for scan in scans)
    assert without is not None
    assert half is not None
    np.testing.assert_array_equal(half.brain.image, without.brain.image)


def test_a_tumour_on_both_sides_leaves_no_half():
    middle = (BRAIN.shape[0] - 1) / 2
    tumour = ball((middle, 22, 18), 24) & BRAIN
    assert mirror_healthy_half(Brain(IMAGE, BRAIN, SPACING), tumour.astype(np.float32)) is None
    everywhere = np.where(BRAIN, 0.6, 0)
    assert mirror_healthy_half(Brain(IMAGE, BRAIN, SPACING), everywhere) is None
    assert mirror_healthy_half(Brain(IMAGE, np.zeros_like(BRAIN), SPACING), everywhere) is None
    doubt = np.where(BRAIN, 0.2, 0)
    assert mirror_healthy_half(Brain(IMAGE, BRAIN, SPACING), doubt) is not None


def test_without_any_tumour_either_half_will_do():
    half = mirror_healthy_half(Brain(IMAGE, BRAIN, SPACING), np.zeros(BRAIN.shape))
    assert half is not None
    assert half.suspect == 0 <= MAX_SUSPECT


def test_a_brain_that_is_cut_off_on_one_side_is_completed():
    middle = (BRAIN.shape[0] - 1) / 2
    brain = BRAIN.copy()
    brain[: int(middle) - 4] = False  # field of view ends there
    tumour = ball((middle - 3, 22, 18), 6) & brain
    half = mirror_healthy_half(
        Brain(np.where(brain, IMAGE, 0), brain, SPACING), tumour.astype(float)
    )
    assert half is not None
    assert half.side == "high"
    inside = half.brain.image[half.brain.mask & half.brain.mask[::-1]]
    assert inside.min() > 10  # no dark seam where one half had no brain


def test_grids_must_agree():
    with pytest.raises(ValueError, match="differ in grid"):
        mirror_healthy_half(Brain(IMAGE[1:], BRAIN[1:], SPACING), np.zeros(BRAIN.shape))
