"""Brain masks that the user gave."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from synthtumour_bids.errors import UnusableScanError
from synthtumour_bids.preprocessing import registration
from synthtumour_bids.preprocessing.given_mask import read_given_mask
from synthtumour_bids.preprocessing.reading import UnreadableError, read_volume

SHAPE = (30, 36, 32)
AFFINE = np.array([[0, 0, 5.0, -61], [5, 0, 0, -99], [0, 5, 0, -40], [0, 0, 0, 1]])
MASK = np.zeros(SHAPE, np.uint8)
MASK[5:20, 8:30, 4:25] = 1


def image(values: np.ndarray, affine: np.ndarray = AFFINE, code: int = 1) -> nib.Nifti1Image:
    header = nib.Nifti1Header()
    header.set_data_shape(values.shape)
    header.set_sform(affine, code)
    return nib.Nifti1Image(values, header.get_best_affine(), header)


def saved(folder: Path, *given) -> Path:
    path = folder / "mask.nii.gz"
    nib.save(image(*given), path)
    return path


@pytest.mark.parametrize(
    ("of_mask", "of_scan", "which"), [(0, 1, "the mask lies"), (1, 0, "the scan lies")]
)
def test_where_one_header_says_nothing_the_voxels_count(
    tmp_path: Path, of_mask: int, of_scan: int, which: str
) -> None:
    scan = image(np.ones(SHAPE, np.float32), AFFINE, of_scan)
    mask, remark = read_given_mask(saved(tmp_path, MASK, AFFINE, of_mask), scan)
    assert np.array_equal(mask.get_fdata(), MASK)
    assert np.array_equal(mask.affine, scan.affine)
    assert "voxel by voxel" in remark
    assert which in remark


@pytest.mark.parametrize("code", [0, 1])
def test_where_both_headers_say_the_same_nothing_is_said(tmp_path: Path, code: int) -> None:
    scan = image(np.ones(SHAPE, np.float32), AFFINE, code)
    mask, remark = read_given_mask(saved(tmp_path, MASK, AFFINE, code), scan)
    assert np.array_equal(mask.affine, scan.affine)
    assert remark == ""


def test_a_mask_of_another_grid_keeps_it(tmp_path: Path) -> None:
    affine = AFFINE @ np.diag([2, 2, 2, 1])
    scan = image(np.ones(SHAPE, np.float32))
    mask, remark = read_given_mask(saved(tmp_path, MASK[::2, ::2, ::2], affine), scan)
    assert np.array_equal(mask.affine, affine)
    assert remark == ""


@pytest.mark.parametrize(
    ("values", "affine", "code", "words"),
    [
        (MASK, np.diag([1000, 1000, 1000, 1]) @ AFFINE, 1, "180000 mm long"),
        (MASK[::2], AFFINE, 0, "their shapes differ"),
        (MASK, np.diag([1, 1, 0, 1.0]) @ AFFINE, 1, "affine cannot be inverted"),
    ],
)
def test_a_mask_that_cannot_lie_where_the_scan_is_is_refused(
    tmp_path: Path, values: np.ndarray, affine: np.ndarray, code: int, words: str
) -> None:
    path = saved(tmp_path, values, affine, code)
    scan = image(np.ones(SHAPE, np.float32))
    with pytest.raises(UnusableScanError, match=rf"--derivatives\) cannot be used\. .*{words}"):
        read_given_mask(path, scan)


SOFT = ndimage.gaussian_filter(MASK.astype(np.float32), 1.5)


@pytest.mark.parametrize(
    "values",
    [MASK, 255 * MASK, 2.5 * MASK, 2 * MASK - 1.0, SOFT, 41 * MASK - 39 * (MASK * SOFT > 0.9)],
)
def test_two_values_shares_and_a_few_classes_are_masks(tmp_path: Path, values: np.ndarray) -> None:
    scan = image(np.ones(SHAPE, np.float32))
    mask, _ = read_given_mask(saved(tmp_path, values.astype(np.float32)), scan)
    inside = MASK > 0 if values is not SOFT else SOFT > 0.5
    assert np.array_equal(mask.get_fdata() > 0.5, inside)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (100 * SOFT, "its values are no whole numbers, and go from 0 to 100"),
        (np.round(255 * SOFT), r"it has \d+ different values, from 0 to 255"),
        (0.4 * SOFT, r"no value is above 0\.5, the highest is 0\.4"),
    ],
)
def test_shares_on_another_scale_are_refused(
    tmp_path: Path, values: np.ndarray, words: str
) -> None:
    scan = image(np.ones(SHAPE, np.float32))
    with pytest.raises(UnusableScanError, match=rf"--derivatives\) is no mask of a brain: {words}"):
        read_given_mask(saved(tmp_path, values.astype(np.float32)), scan)


def test_a_mask_is_named_where_it_has_no_brain_of_the_scan(tmp_path: Path) -> None:
    scan = image(np.ones(SHAPE, np.float32))
    away = AFFINE + 900 * np.eye(4, k=3)
    for values, affine, words in ((0 * MASK, AFFINE, "is empty"), (MASK, away, "lies outside")):
        mask, _ = read_given_mask(saved(tmp_path, values, affine), scan)
        with pytest.raises(UnusableScanError, match=rf"mask\.nii\.gz \(--derivatives\) {words}"):
            registration._given_mask(scan, mask)


def test_a_mask_whose_affine_is_no_numbers_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mask.nii"
    header = nib.Nifti1Image(MASK, AFFINE).header
    header["srow_x"] = np.nan
    header["sform_code"], header["qform_code"] = 1, 0
    path.write_bytes(header.binaryblock + bytes(4) + MASK.tobytes("F"))
    with pytest.raises(UnreadableError, match="header is broken"):
        read_volume(path)
