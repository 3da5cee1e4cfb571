"""Diameters of ellipsoids whose axes are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from synthtumour_bids.measures.size import size_of
from tests.builders.lesions import OBLIQUE, ellipsoid

ORDERS = ["RAS", "LAS", "PIR", OBLIQUE]
lengths = st.floats(10, 25)  # a tip thinner than a voxel is lost, whoever measures
places = st.floats(-20, 20)


@settings(max_examples=12, deadline=None, phases=[Phase.generate])
@given(
    radii=st.tuples(lengths, lengths, lengths),
    centre=st.tuples(places, places, places),
    spacing=st.tuples(*[st.floats(1.5, 2.5)] * 3),
    order=st.sampled_from(ORDERS),
)
def test_diameters_are_right_within_a_voxel(radii, centre, spacing, order) -> None:
    lesion = ellipsoid(centre, radii, order=order, spacing=spacing)
    size = size_of(lesion.mask, lesion.affine)
    assert size is not None
    x, y, _ = radii

    def near(found: float, wanted: float, voxel: float) -> bool:
        return abs(found - wanted) <= max(voxel, 0.03 * wanted)

    diagonal = float(np.linalg.norm(spacing))
    assert near(size.longest_diameter_mm, 2 * max(radii), max(spacing))
    # The middle of the ellipsoid may lie between two slices.
    assert near(size.axial_diameter_mm, 2 * max(x, y), max(spacing[:2]))
    assert near(size.axial_perpendicular_mm, 2 * min(x, y), diagonal)
    assert size.largest_focus_share == 1
    voxels = lesion.mask.sum() * np.prod(spacing) / 1000
    assert size.largest_focus_mL == pytest.approx(voxels)


def test_a_ball_is_a_ball() -> None:
    lesion = ellipsoid((10, 0, 0), (20, 20, 20), spacing=(1, 1, 2))
    size = size_of(lesion.mask, lesion.affine)
    assert size is not None
    assert size.surface_mm2 == pytest.approx(4 * np.pi * 400, rel=0.03)
    assert size.sphericity == pytest.approx(1, abs=0.03)
    slab = np.zeros((20, 20, 20), bool)
    slab[5, 2:18, 2:18] = True  # one voxel thick
    assert size_of(slab, np.eye(4)).sphericity < 0.6


@pytest.mark.parametrize("order", ORDERS)
def test_the_slice_is_the_one_through_the_middle(order: str) -> None:
    lesion = ellipsoid((12, -8, 10), (14, 20, 9), order=order)
    size = size_of(lesion.mask, lesion.affine)
    assert size is not None
    axis = int(np.argmax(np.abs(lesion.affine[2, :3])))
    index = np.linalg.inv(lesion.affine) @ [*lesion.centre, 1]
    assert abs(size.axial_slice - index[axis]) <= 1


def test_the_largest_focus_is_measured_alone() -> None:
    large = ellipsoid((30, 0, 0), (15, 12, 10))
    small = ellipsoid((-40, 0, 0), (6, 6, 6))
    alone, both = (size_of(mask, large.affine) for mask in (large.mask, large.mask | small.mask))
    assert alone is not None
    assert both is not None
    assert both.longest_diameter_mm == alone.longest_diameter_mm
    assert both.axial_slice == alone.axial_slice
    share = large.mask.sum() / (large.mask.sum() + small.mask.sum())
    assert both.largest_focus_share == pytest.approx(share)


def test_the_perpendicular_stays_inside() -> None:
    """Of a horseshoe, the line across its opening does not count."""
    mask = np.zeros((40, 40, 3), bool)
    mask[5:35, 5:11, 1] = True
    mask[5:11, 5:20, 1] = mask[29:35, 5:20, 1] = True
    size = size_of(mask, np.eye(4))
    assert size is not None
    assert size.axial_diameter_mm > 30
    assert size.axial_perpendicular_mm < 18


def test_nothing_is_not_measured_and_a_voxel_is() -> None:
    mask = np.zeros((5, 5, 5), bool)
    assert size_of(mask, np.eye(4)) is None
    mask[2, 2, 2] = True
    size = size_of(mask, np.eye(4))
    assert size is not None
    assert size.longest_diameter_mm == pytest.approx(1)
    assert size.axial_perpendicular_mm == pytest.approx(1, abs=0.3)
