"""Distances to a mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from synthtumour_bids.preprocessing.distances import distance_to

SIZES = st.floats(0.3, 6.0)


@settings(max_examples=30, deadline=None)
@given(
    arrays.arrays(bool, arrays.array_shapes(min_dims=3, max_dims=3, max_side=9)),
    st.tuples(SIZES, SIZES, SIZES),
)
def test_every_voxel_has_its_distance(mask: np.ndarray, spacing: tuple[float, ...]) -> None:
    found = distance_to(mask, np.array(spacing))
    assert found.dtype == np.float32
    if mask.any():
        expected = ndimage.distance_transform_edt(~mask, sampling=spacing)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    else:
        assert np.isinf(found).all()


def test_one_voxel_size_stands_for_all_axes() -> None:
    mask = np.zeros((4, 5, 6), dtype=bool)
    mask[0, 0, 0] = True
    assert distance_to(mask, 2.0)[3, 4, 0] == pytest.approx(10.0)
