"""Masks to compare a segmentation with."""

from __future__ import annotations

import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from synthtumour_bids.errors import DataError
from synthtumour_bids.steps.truth import read_truth
from synthtumour_bids.volumes import Volume

TUMOUR = np.zeros((20, 24, 18), np.float32)
TUMOUR[6:14, 8:16, 5:12] = 1
RNG = np.random.default_rng(0)


def read(folder: Path, values: np.ndarray) -> np.ndarray:
    image = nib.Nifti1Image(values.astype(np.float32), np.eye(4))
    nib.save(image, folder / "truth.nii.gz")
    return read_truth(folder / "truth.nii.gz", Volume.of(nib.Nifti1Image(TUMOUR, np.eye(4)))).data


@pytest.mark.parametrize(
    "values",
    [
        TUMOUR,
        255 * TUMOUR,
        2 * TUMOUR - 1,
        TUMOUR + 3 * (TUMOUR > 0) * (np.arange(18) > 8),  # classes 1 and 4
        0.7 * TUMOUR + 0.2 * (np.arange(18) > 8),
        np.where(TUMOUR > 0, 1, np.nan),
    ],
)
def test_classes_and_shares_are_masks(tmp_path: Path, values: np.ndarray) -> None:
    assert np.array_equal(read(tmp_path, values), TUMOUR)


def test_a_smoothed_mask_has_its_border_half_way(tmp_path: Path) -> None:
    soft = ndimage.gaussian_filter(TUMOUR, 1.5)
    assert np.array_equal(read(tmp_path, soft), soft > 0.5)


def test_a_mask_without_a_tumour_is_one(tmp_path: Path) -> None:
    assert not read(tmp_path, 0 * TUMOUR).any()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.round(500 * RNG.random(TUMOUR.shape)), "different values"),
        (500 * RNG.random(TUMOUR.shape), "no whole numbers, and go from"),
        (RNG.normal(size=TUMOUR.shape), "no whole numbers, and go from -"),
        (np.ones(TUMOUR.shape), "no voxel lies outside"),
        (TUMOUR + 1, "no voxel lies outside, as its values go from 1 to 2"),
        (0.3 * TUMOUR, "no value is above 0.5"),
    ],
)
def test_what_is_no_mask_is_refused(tmp_path: Path, values: np.ndarray, words: str) -> None:
    with pytest.raises(DataError, match=rf"truth\.nii\.gz \(--truth\) is no mask.*{words}"):
        read(tmp_path, values)


@pytest.mark.parametrize(
    ("values", "affine", "words"),
    [
        (TUMOUR[1:], np.eye(4), "has shape (19, 24, 18), but the scan has (20, 24, 18). Truths"),
        (TUMOUR, np.diag([-1, 1, 1, 1]), "corners lie up to 38 mm from the scan's. Truths"),
        (TUMOUR, np.eye(4) + 0.02 * np.eye(4, k=3), "corners lie up to 0.02 mm from the scan's."),
    ],
)
def test_a_truth_that_lies_elsewhere_is_refused_with_how_far(
    tmp_path: Path, values: np.ndarray, affine: np.ndarray, words: str
) -> None:
    nib.save(nib.Nifti1Image(values, affine), tmp_path / "truth.nii.gz")
    with pytest.raises(DataError, match=re.escape(words)):
        read_truth(tmp_path / "truth.nii.gz", Volume.of(nib.Nifti1Image(TUMOUR, np.eye(4))))
