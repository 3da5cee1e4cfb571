"""Files of one name, compressed and not or in two folders: whether they hold the same image."""

from __future__ import annotations

import filecmp
from collections.abc import Sequence
from pathlib import Path

SAME_GRID_MM = 1e-2  # affines that differ by less are the same


def are_one_image(paths: Sequence[Path]) -> bool:
    """Whether all files hold the same voxels in the same place, however they were written.

    Parameters
    ----------
    paths
        Images, at least one. One that cannot be read is like no other.
    """
    first, *others = paths
    return all(_are_alike(first, other) for other in others)


def _are_alike(one: Path, other: Path) -> bool:
    import nibabel as nib
    import numpy as np

    from synthtumour_bids.volumes import HEADER_ERRORS, VOXEL_ERRORS

    try:
        if filecmp.cmp(one, other, shallow=False):
            return True
        first, second = (nib.Nifti1Image.from_filename(path) for path in (one, other))
        return (
            first.shape == second.shape
            and np.allclose(first.affine, second.affine, atol=SAME_GRID_MM)
            and np.array_equal(first.get_fdata(), second.get_fdata())
        )
    except (*HEADER_ERRORS, *VOXEL_ERRORS):
        return False
