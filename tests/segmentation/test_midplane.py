"""The plane between the halves of a brain, and the grids that it is searched on."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from synthtumour_bids.preprocessing.templates import standard_brain, standard_tissues
from synthtumour_bids.segmentation.midplane import Midplane, find_midplane

AFFINE = np.array([[4.0, 0, 0, -98], [0, 4, 0, -134], [0, 0, 4, -72], [0, 0, 0, 1]])


@pytest.mark.parametrize("resolution", [1.0, 2.0, 4.0])
def test_template_grids_mirror_into_themselves(resolution: float) -> None:
    affine = standard_brain(resolution).affine
    brain = standard_tissues(resolution)["brain"]
    last = brain.shape[0] - 1
    flip = Midplane().reflection(affine)
    assert np.allclose(flip @ [0, 5, 7, 1], [last, 5, 7, 1])
    assert np.array_equal(brain, brain[::-1])


def test_a_grid_that_is_not_centred_is_mirrored_by_its_affine() -> None:
    affine = AFFINE.copy()
    affine[0, 3] = -80.0
    assert np.allclose(Midplane().reflection(affine) @ [5, 1, 2, 1], [35, 1, 2, 1])


def test_a_reflection_is_its_own_inverse() -> None:
    twice = np.linalg.matrix_power(Midplane(4.0, 3.0, -6.0).reflection(AFFINE), 2)
    assert np.allclose(twice, np.eye(4))


@pytest.mark.parametrize(
    ("offset", "tilt_y", "tilt_z"), [(0, 0, 0), (4, 0, 6), (-3, 4.5, 0), (5, -3, -6)]
)
def test_the_plane_of_a_crooked_brain_is_found(offset: float, tilt_y: float, tilt_z: float) -> None:
    plane = Midplane(offset, tilt_y, tilt_z)
    y, z = np.deg2rad([tilt_y, tilt_z])
    turn = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]]) @ np.array(
        [[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]]
    )
    world = np.eye(4)
    world[:3, :3], world[:3, 3] = turn, offset * plane.normal
    assert np.allclose(turn[:, 0], plane.normal)
    back = np.linalg.inv(AFFINE) @ np.linalg.inv(world) @ AFFINE
    template = standard_brain(4.0).get_fdata()
    image = ndimage.affine_transform(template, back, order=1)
    found = find_midplane(ndimage.gaussian_filter(image, 1), image > 0.2 * image.max(), AFFINE)
    assert found.offset_mm == pytest.approx(offset, abs=1)
    assert found.tilt_y_deg == pytest.approx(tilt_y, abs=1.6)
    assert found.tilt_z_deg == pytest.approx(tilt_z, abs=1.6)


def test_where_there_is_nothing_to_see_the_plane_is_straight() -> None:
    nothing = np.zeros((20, 20, 20))
    assert find_midplane(nothing, nothing > 0, AFFINE) == Midplane()
    assert find_midplane(nothing + 1, nothing == 0, AFFINE) == Midplane()
