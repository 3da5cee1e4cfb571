"""A manual mask to compare a segmentation with, read by the report alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.errors import DataError
from synthtumour_bids.preprocessing.mask_values import why_no_mask
from synthtumour_bids.preprocessing.reading import UnreadableError, read_volume
from synthtumour_bids.volumes import Volume

ADVICE = "It must be 0 outside of the tumour, and whole numbers above 0 or shares up to 1 in it."


def read_truth(path: Path, mask: Volume) -> Volume:
    """Read a truth.

    Parameters
    ----------
    path
        Mask, classes (all of which count), or shares, of which those above one half count.
    mask
        The segmentation, on whose grid the truth must lie.

    Returns
    -------
    1 in the tumour, 0 outside.

    Raises
    ------
    DataError
        When it cannot be read, lies on another grid, or is no mask.
    """
    try:
        truth = Volume.of(read_volume(path))
    except UnreadableError as error:
        message = f"The truth {path} (--truth) cannot be used. {error}"
        raise DataError(message) from error
    if reason := _is_elsewhere(truth, mask):
        message = f"The truth {path} (--truth) {reason}. Truths must lie on their scans' grids."
        raise DataError(message)
    inside = truth.data > 0.5
    if reason := why_no_mask(truth.data) or _fills_it(truth.data, inside):
        message = f"The truth {path} (--truth) is no mask of a tumour: {reason}. {ADVICE}"
        raise DataError(message)
    return replace(truth, data=inside.astype(np.float32))


def _fills_it(values: NDArray[np.float32], inside: NDArray[np.bool_]) -> str:
    """Say, in half a sentence, that nothing lies outside; nothing where something does."""
    if not inside.all():
        return ""
    return f"no voxel lies outside, as its values go from {values.min():g} to {values.max():g}"


def _is_elsewhere(truth: Volume, mask: Volume) -> str:
    """Say how grids differ, in half a sentence; nothing where they do not."""
    shape = mask.data.shape
    if truth.data.shape != shape:
        return f"has shape {truth.data.shape}, but the scan has {shape}"
    if np.allclose(truth.affine, mask.affine, atol=1e-2):
        return ""
    corners = np.array(list(product(*((0, n - 1) for n in shape))))
    there, here = (nib.affines.apply_affine(one.affine, corners) for one in (truth, mask))
    distance = np.linalg.norm(there - here, axis=1).max()
    return f"has the scan's shape, but its corners lie up to {distance:.3g} mm from the scan's"
