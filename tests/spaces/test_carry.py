"""Masks as levels, and ways of several transforms that are gone in one step."""

from __future__ import annotations

from pathlib import Path

import ants
import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from synthtumour_bids.spaces.carry import Leg, carry
from synthtumour_bids.spaces.levels import BORDER, levels

SHAPE = (3, 4, 2)


@given(
    arrays.arrays(np.bool_, SHAPE),
    arrays.arrays(np.float32, SHAPE, elements=st.floats(0, 1, width=32)),
)
def test_levels_keep_the_mask_whatever_the_probability(
    mask: np.ndarray, probability: np.ndarray
) -> None:
    found = levels(mask, probability)
    assert np.array_equal(found >= BORDER, mask)
    assert found.min() >= 0
    assert found.max() <= 1


def write_shift(path: Path, shift: tuple[float, float, float]) -> Path:
    """Move an image by `shift` mm, RAS."""
    back = [shift[0], shift[1], -shift[2]]  # LPS, and for points
    transform = ants.create_ants_transform(
        transform_type="AffineTransform", dimension=3, translation=back
    )
    ants.write_transform(transform, str(path))
    return path


def test_a_way_is_gone_in_its_order_with_one_resampling(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image = nib.Nifti1Image(rng.random((12, 10, 8), dtype=np.float32), np.eye(4))
    folder = tmp_path / "a,b [c]"
    folder.mkdir()
    first = Leg(write_shift(folder / "first.mat", (0.5, 0, 0)))
    second = Leg(write_shift(folder / "second.mat", (2.5, 0, 0)), inverted=True)
    moved = carry(image, image, [first, second])
    # Two halves of a voxel are no halves: resampled twice, values would be averages.
    assert moved[:-2] == pytest.approx(image.get_fdata()[2:], abs=1e-5)
    turned = tmp_path / "turn.mat"
    quarter = ants.create_ants_transform(
        transform_type="AffineTransform", dimension=3, matrix=[[0, 1, 0], [-1, 0, 0], [0, 0, 1]]
    )
    ants.write_transform(quarter, str(turned))
    spot = np.zeros((12, 10, 8), np.float32)
    spot[4, 0, 0] = 1
    lone = nib.Nifti1Image(spot, np.eye(4))
    shift = Leg(write_shift(folder / "third.mat", (1.0, 0, 0)))
    there, other = (
        np.argwhere(carry(lone, lone, way) > 0.5)
        for way in ([shift, Leg(turned)], [Leg(turned), shift])
    )
    assert there.tolist() == [[0, 5, 0]]
    assert other.tolist() == [[1, 4, 0]]
