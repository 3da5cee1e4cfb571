"""A brain mask that the user gave: read, and brought to where its scan is."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from synthtumour_bids.errors import UnusableScanError
from synthtumour_bids.preprocessing import geometry
from synthtumour_bids.preprocessing.annotation import SAME_GRID_MM
from synthtumour_bids.preprocessing.mask_values import why_no_mask
from synthtumour_bids.preprocessing.preflight import LARGEST_VIEW_MM
from synthtumour_bids.preprocessing.reading import UnreadableError, read_volume
from synthtumour_bids.volumes import like_native

# Wording of the sentences; tests refer to these.
NO_PLACE = (
    "Its affine cannot be inverted, so that its voxels have no place in space. Write it anew, on "
    "the scan's grid."
)
TOO_LARGE = (
    f"Its header makes it {{view:.0f}} mm long, and no head takes more than {LARGEST_VIEW_MM:g} "
    "mm: its voxel sizes or their unit must be wrong. Write it anew, on the scan's grid."
)
UNKNOWN_PLACE = (
    "Only one of mask and scan tells in its header where it lies (of the other, qform and sform "
    "code are 0), and their shapes differ ({mask} and {scan}). Write it anew, on the scan's grid."
)
VOXEL_BY_VOXEL = (
    "the brain mask {path} (--derivatives) has the scan's shape, but qform and sform code 0 leave "
    "open where {which} lies: the mask is taken voxel by voxel. Look whether it fits."
)
NO_MASK = (
    "The brain mask {path} (--derivatives) is no mask of a brain: {reason}. It must be 0 outside "
    "of the brain, and whole numbers above 0 or shares up to 1 in it."
)


def read_given_mask(path: Path, scan: nib.Nifti1Image) -> tuple[nib.Nifti1Image, str]:
    """Read a brain mask.

    Parameters
    ----------
    path
        A NIfTI file on the scan's or any other grid of its world.
    scan
        3-D; its affine places the mask where either header says nothing and the shapes agree.

    Returns
    -------
    mask
        3-D, finite, float32; its file name is the path.
    remark
        What the user should know of how it was read; empty where nothing is odd.

    Raises
    ------
    UnusableScanError
        When it cannot be read, is no mask, or cannot lie where the scan is.
    """
    try:
        mask, remark = _placed(read_volume(path), scan, path)
    except UnreadableError as error:
        message = f"The brain mask {path} (--derivatives) cannot be used. {error}"
        raise UnusableScanError(message) from error
    if reason := why_no_mask(np.asanyarray(mask.dataobj)):
        raise UnusableScanError(NO_MASK.format(path=path, reason=reason))
    mask.set_filename(str(path))
    return mask, remark


def _placed(
    mask: nib.Nifti1Image, scan: nib.Nifti1Image, path: Path
) -> tuple[nib.Nifti1Image, str]:
    """Settle where a mask lies; raises `UnreadableError` where that cannot be."""
    unknown = [name for name, one in (("mask", mask), ("scan", scan)) if not _is_placed(one)]
    same_shape = mask.shape == scan.shape
    if unknown and same_shape:
        if np.allclose(mask.affine, scan.affine, atol=SAME_GRID_MM):
            return mask, ""
        values = np.asanyarray(mask.dataobj)
        which = " and ".join(f"the {one}" for one in unknown)
        remark = VOXEL_BY_VOXEL.format(path=path, which=which)
        return like_native(values, scan, np.float32), remark
    if len(unknown) == 1:
        raise UnreadableError(UNKNOWN_PLACE.format(mask=mask.shape, scan=scan.shape))
    sizes = geometry.voxel_sizes(mask.affine)
    if not np.isfinite(mask.affine).all() or abs(np.linalg.det(mask.affine)) <= 1e-6 * sizes.prod():
        raise UnreadableError(NO_PLACE)
    view = float(np.max(sizes * mask.shape))
    if view > LARGEST_VIEW_MM:
        raise UnreadableError(TOO_LARGE.format(view=view))
    return mask, ""


def _is_placed(image: nib.Nifti1Image) -> bool:
    """Whether a header tells where its image lies, and not nibabel by a guess."""
    return bool(image.header["qform_code"] > 0 or image.header["sform_code"] > 0)
