"""Grids: what lies at the border of an image stays."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from synthtumour_bids.preprocessing.geometry import resample
from synthtumour_bids.preprocessing.registration import _given_mask
from synthtumour_bids.preprocessing.sessions import Halfway
from synthtumour_bids.volumes import Volume

ANGLES = st.tuples(*[st.floats(-20, 20)] * 3)
PLACES = st.tuples(*[st.floats(-150, 150)] * 3)


@settings(max_examples=30, deadline=None)
@given(angles=ANGLES, place=PLACES)
def test_a_mask_on_the_scan_s_own_grid_stays_as_it_is(angles: tuple, place: tuple) -> None:
    turned = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    affine = nib.affines.from_matvec(turned @ np.diag([-2, 2, 5.0]), place)
    mask = np.ones((40, 40, 12), np.float32)
    image = nib.Nifti1Image.from_bytes(nib.Nifti1Image(mask, affine).to_bytes())
    again = nib.Nifti1Image(mask, image.affine)
    assert _given_mask(image, again).mask.all(), "the outermost slices, too"
    assert resample(mask, affine, mask.shape, affine).all()


@pytest.mark.parametrize("first", [0, 10, 22])
def test_a_lesion_at_the_border_keeps_its_volume_half_way(first: int) -> None:
    thick = nib.affines.from_matvec(np.diag([1.0, 1.0, 5.0]), [-20, -20, -60])
    fine = nib.affines.from_matvec(np.eye(3), [-20, -20, -62])
    lesion = np.zeros((40, 40, 24), np.float32)
    lesion[10:30, 10:30, first : first + 2] = 1
    volume = Volume(lesion, thick, (1.0, 1.0, 5.0))
    moved = Halfway((40, 40, 120), fine, (np.eye(4),)).mask(volume, 0)
    assert moved.sum() == pytest.approx(5 * lesion.sum())
