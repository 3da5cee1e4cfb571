"""The border of a segmentation, moved to where the scan shows it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from synthtumour_bids.synthesis.borders import Evidence, refine_borders
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.geometry import dice
from tests.builders.ellipsoid import ellipsoid_brain

SPACING = (2.0, 2.0, 2.0)
CENTRE = (25.0, 10.0, 12.0)  # mm from the middle of the brain
RADIUS = 16.0  # mm


def distance_from_centre(shape, spacing):
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing, strict=True)]
    grid = np.meshgrid(*axes, indexing="ij")
    return np.sqrt(sum((x - c) ** 2 for x, c in zip(grid, CENTRE, strict=True)))


def tumour_scan(spacing=SPACING, brightness=60.0):
    """Image with a ball-shaped tumour of this much more brightness, brain, distance in mm."""
    image, brain, _ = ellipsoid_brain(spacing)
    distance = distance_from_centre(image.shape, spacing)
    return image + np.float32(brightness) * ((distance < RADIUS) & brain), brain, distance


def said(distance, radius, brain):
    """What a network says that takes the tumour for a ball of this radius, unsure at its border."""
    return (brain / (1 + np.exp((distance - radius) / 1.5))).astype(np.float32)


@pytest.mark.parametrize("wrong", [-4.0, 4.0])
@pytest.mark.parametrize("brightness", [60.0, -60.0])
@pytest.mark.parametrize("spacing", [SPACING, (1.5, 1.5, 4.0)])
def test_a_border_moves_to_where_the_scan_shows_it(wrong, brightness, spacing):
    image, brain, distance = tumour_scan(spacing, brightness)
    truth = (distance < RADIUS) & brain
    probability = said(distance, RADIUS + wrong, brain)
    found = refine_borders(probability, Brain(image, brain, spacing))
    before = dice(probability >= 0.5, truth)
    assert dice(found >= 0.5, truth) > before + 0.4 * (1 - before)
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 1


def test_a_right_border_stays():
    image, brain, distance = tumour_scan()
    truth = (distance < RADIUS) & brain
    found = refine_borders(said(distance, RADIUS, brain), Brain(image, brain, SPACING))
    assert dice(found >= 0.5, truth) > 0.97


def test_where_nothing_is_to_be_seen_the_network_is_right():
    image, brain, distance = tumour_scan(brightness=0.0)
    probability = said(distance, RADIUS, brain)
    found = refine_borders(probability, Brain(image, brain, SPACING))
    assert dice(found >= 0.5, probability >= 0.5) > 0.97


def test_a_dark_cyst_and_a_bright_spot_far_away_do_not_outvote_a_sure_network():
    image, brain, distance = tumour_scan()
    image[distance < 6] = 5.0
    far = brain & (distance > 60) & (distance < 70)
    image[far] = 250.0
    found = refine_borders(said(distance, RADIUS, brain), Brain(image, brain, SPACING))
    assert (found[distance < 6] >= 0.5).all()
    assert not (found[far] >= 0.5).any()


def test_what_is_outside_the_brain_or_too_small_or_empty_stays():
    image, brain, distance = tumour_scan()
    probability = said(distance, RADIUS + 4, brain)
    probability[0, 0, 0] = 0.4
    assert refine_borders(probability, Brain(image, brain, SPACING))[0, 0, 0] == np.float32(0.4)
    speck = np.zeros(brain.shape, np.float32)
    speck[tuple(n // 2 for n in brain.shape)] = 0.9
    nothing = np.zeros(brain.shape, np.float32)
    for unchanged in (speck, nothing):
        np.testing.assert_array_equal(
            refine_borders(unchanged, Brain(image, brain, SPACING)), unchanged
        )
    np.testing.assert_array_equal(
        refine_borders(probability, Brain(image, np.zeros_like(brain), SPACING)), probability
    )


def test_the_input_is_left_as_it_is_and_no_more_than_the_limit_is_added():
    image, brain, distance = tumour_scan()
    probability = said(distance, RADIUS + 4, brain)
    kept = probability.copy()
    found = refine_borders(probability, Brain(image, brain, SPACING), Evidence(limit=1.0))
    np.testing.assert_array_equal(probability, kept)
    sure = (kept > 1e-3) & (kept < 1 - 1e-3)
    shift = np.abs(np.log(found[sure] / (1 - found[sure])) - np.log(kept[sure] / (1 - kept[sure])))
    assert 0.99 < shift.max() < 1.01


def test_other_grids_are_refused():
    image, brain, distance = tumour_scan()
    with pytest.raises(ValueError, match="differ in grid"):
        refine_borders(said(distance, RADIUS, brain)[1:], Brain(image, brain, SPACING))


@settings(max_examples=8, deadline=None)
@given(
    flips=st.sets(st.integers(0, 2)),
    order=st.permutations(range(3)),
    scale=st.floats(0.01, 100),
    offset=st.floats(-50, 50),
)
def test_neither_the_order_of_axes_nor_the_intensity_scale_matters(flips, order, scale, offset):
    spacing = (3.0, 3.0, 5.0)
    image, brain, distance = tumour_scan(spacing)
    probability = said(distance, RADIUS + 4, brain)

    def turned(array):
        return np.transpose(np.flip(array, tuple(flips)), order)

    expected = turned(refine_borders(probability, Brain(image, brain, spacing)))
    scan = Brain(
        turned(image * scale + offset), turned(brain), tuple(spacing[axis] for axis in order)
    )
    found = refine_borders(turned(probability), scan)
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_a_second_tumour_has_its_own_brightness():
    """A faint tumour is not held against a bright one elsewhere in the brain."""
    image, brain, distance = tumour_scan(brightness=150.0)
    faint = ndimage.shift(distance, (-25, 0, 0), order=1, mode="nearest")  # 50 mm to the left
    image += np.float32(40) * ((faint < RADIUS) & brain)
    probability = np.maximum(said(distance, RADIUS, brain), said(faint, RADIUS, brain))
    found = refine_borders(probability, Brain(image, brain, SPACING)) >= 0.5
    truth = (np.minimum(distance, faint) < RADIUS) & brain
    left = faint < 2 * RADIUS
    assert dice(found[left], truth[left]) > 0.95
