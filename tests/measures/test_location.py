"""Sides, centres and distances of ellipsoids whose places are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from synthtumour_bids.measures.location import Surroundings, locate, surface_distance
from synthtumour_bids.measures.regions import OUTSIDE, Atlas, volumes_by_region
from tests.builders.lesions import OBLIQUE, Lesion, ellipsoid

MAP_AFFINE = np.diag([4.0, 4, 4, 1])
MAP_AFFINE[:3, 3] = -100


def maps() -> Surroundings:
    """White matter on the left, grey on the right; ventricles are a ball around the origin."""
    shape = (51, 51, 51)
    world = np.indices(shape) * 4.0 - 100
    left = (world[0] < 0).astype(np.float32)
    distance = (np.linalg.norm(world, axis=0) - 12).astype(np.float32)
    return Surroundings(MAP_AFFINE, left, 1 - left, np.zeros(shape, np.float32), distance)


def points_of(lesion: Lesion) -> tuple[np.ndarray, np.ndarray]:
    indices = np.argwhere(lesion.mask)
    labels, _ = ndimage.label(lesion.mask, np.ones((3, 3, 3)))
    return indices @ lesion.affine[:3, :3].T + lesion.affine[:3, 3], labels[tuple(indices.T)]


@settings(max_examples=12, deadline=None, phases=[Phase.generate])
@given(
    x=st.one_of(st.floats(-45, -15), st.floats(15, 45)),
    yz=st.tuples(st.floats(-30, 30), st.floats(-30, 30)),
    radius=st.floats(5, 10),
    order=st.sampled_from(["RAS", "LAS", "PIR", OBLIQUE]),
)
def test_side_and_centre_are_right_however_a_scan_is_stored(x, yz, radius, order) -> None:
    lesion = ellipsoid((x, *yz), (radius, radius, radius), order=order)
    where = locate(*points_of(lesion), maps())
    assert where is not None
    assert where.side == ("left" if x < 0 else "right")
    assert where.left_share == (x < 0)
    assert not where.crosses_midline
    found = where.centre_x_mm, where.centre_y_mm, where.centre_z_mm
    assert np.linalg.norm(np.subtract(found, lesion.centre)) < 2
    # A voxel of 2 mm, and what of a round tip holds no voxel's centre.
    assert where.midline_distance_mm == pytest.approx(abs(x) - radius, abs=2.5)
    away = float(np.linalg.norm(lesion.centre)) - radius - 12
    assert where.ventricle_distance_mm == pytest.approx(max(0, away), abs=2.5)
    assert where.wm_share == pytest.approx(float(x < 0), abs=0.05)
    assert where.gm_share == pytest.approx(float(x > 0), abs=0.05)


@pytest.mark.parametrize(("x", "crosses"), [(0.0, True), (14.0, False), (9.0, True)])
def test_what_crosses_the_midline_is_at_no_distance_from_it(x: float, crosses: bool) -> None:
    where = locate(*points_of(ellipsoid((x, 0, 0), (15, 15, 15))), maps())
    assert where is not None
    assert where.crosses_midline == crosses
    assert (where.side == "both") == (where.left_share > 0.1)
    if crosses:
        assert where.midline_distance_mm == 0


def test_two_foci_on_both_sides_do_not_cross() -> None:
    lesions = [ellipsoid((x, 0, 0), (10, 10, 10)) for x in (-30, 30)]
    both = Lesion(lesions[0].mask | lesions[1].mask, lesions[0].affine, (0, 0, 0), (0, 0, 0))
    where = locate(*points_of(both), maps())
    assert where is not None
    assert where.side == "both"
    assert not where.crosses_midline
    assert where.midline_distance_mm == pytest.approx(20, abs=2)
    assert locate(np.empty((0, 3)), np.empty(0, int), maps()) is None


def test_distance_to_the_brains_surface() -> None:
    brain = ellipsoid((0, 0, 0), (65, 65, 65), spacing=(1, 2, 3))
    deep = ellipsoid((0, 40, 0), (10, 10, 10), spacing=(1, 2, 3))
    spacing = np.array([1.0, 2, 3])
    assert surface_distance(deep.mask, brain.mask, spacing) == pytest.approx(15, abs=2)
    assert surface_distance(brain.mask, brain.mask, spacing) == 0
    assert surface_distance(deep.mask & False, brain.mask, spacing) is None
    top = np.zeros((20, 20, 8), bool)
    top[:, :, -1] = True
    assert surface_distance(top, np.ones_like(top), np.array([1.0, 1, 5])) == 0, "thick slices"
    inside = np.zeros_like(top)
    inside[10, 10, 4] = True
    assert surface_distance(inside, np.ones_like(top), np.array([1.0, 1, 5])) == pytest.approx(9)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("layer", [0, 1, 2, 3, 5])
def test_distance_to_the_surface_is_as_long_as_the_voxels_on_the_way(axis: int, layer: int) -> None:
    spacing = np.array([1.0, 2, 5])
    brain = np.pad(np.ones((61, 31, 13), bool), 2)
    place = [33, 17, 8]
    place[axis] = 2 + layer
    mask = np.zeros_like(brain)
    mask[tuple(place)] = True
    assert surface_distance(mask, brain, spacing) == pytest.approx(layer * spacing[axis])


def test_regions_share_the_whole_lesion_out() -> None:
    shape = (51, 51, 51)
    world = np.indices(shape) * 4.0 - 100
    labels = np.where(world[0] < 0, 7, 9).astype(np.int32)
    labels[world[1] > 40] = 0
    atlas = Atlas("halves", labels, MAP_AFFINE, {7: "left half"}, "")
    lesion = ellipsoid((-5, 30, 0), (20, 20, 20))
    points, _ = points_of(lesion)
    regions = volumes_by_region(points, 0.008, atlas)
    assert [one.region for one in regions] == ["left half", "region 9", OUTSIDE]
    assert sum(one.volume_mL for one in regions) == pytest.approx(0.008 * len(points))
    assert sum(one.share for one in regions) == pytest.approx(1)
    assert regions[0].share == pytest.approx(
        np.mean((points[:, 0] < -2) & (points[:, 1] < 42)), abs=0.02
    )
