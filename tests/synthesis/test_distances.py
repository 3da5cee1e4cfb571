"""Voxels near a mask and deep inside it, sought in a box, are those of the whole array."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from synthtumour_bids.synthesis.geometry import Mask, core, near

SPACINGS = st.tuples(*[st.sampled_from((0.5, 1.0, 2.5))] * 3)
MASKS = arrays(bool, (7, 9, 8), elements=st.sampled_from((False, False, False, True)))
BLOBS = MASKS.map(lambda seeds: np.asarray(ndimage.binary_dilation(seeds, iterations=2)))


@given(MASKS, st.floats(0, 6), SPACINGS)
def test_near_a_mask(mask: Mask, distance: float, spacing: tuple[float, float, float]) -> None:
    expected = np.zeros(mask.shape, bool)
    if mask.any():
        expected = ndimage.distance_transform_edt(~mask, sampling=spacing) <= distance
    np.testing.assert_array_equal(near(mask, distance, spacing), expected)


@given(BLOBS, st.floats(0, 4), SPACINGS)
def test_deep_inside_a_mask(mask: Mask, depth: float, spacing: tuple[float, float, float]) -> None:
    # All of the mask where nothing is outside.
    expected = mask.all() | (ndimage.distance_transform_edt(mask, sampling=spacing) > depth)
    np.testing.assert_array_equal(core(mask, depth, spacing), expected)
