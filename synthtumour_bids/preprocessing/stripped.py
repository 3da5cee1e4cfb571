"""Recognising scans whose skull has already been removed, and reading the mask off them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

# An adult brain with its fluid rarely exceeds 1.9 L; a head with skull that is covered from the
# crown to the skull base has more than 2.5 L.
_LARGEST_BRAIN_ML = 2200.0


def background_value(data: np.ndarray) -> float | None:
    """Return the constant outside the object, or ``None`` when there is no constant background.

    Parameters
    ----------
    data
        Image (X, Y, Z).
    """
    border = np.concatenate(
        [data[[0, -1]].ravel(), data[:, [0, -1]].ravel(), data[:, :, [0, -1]].ravel()]
    )
    values, counts = np.unique(border, return_counts=True)
    value = float(values[np.argmax(counts)])
    return value if counts.max() > 0.5 * border.size else None


def stripped_mask(data: np.ndarray, spacing: np.ndarray) -> np.ndarray | None:
    """Return the brain mask of an already stripped scan, ``None`` for a scan with skull.

    Parameters
    ----------
    data
        Image (X, Y, Z).
    spacing
        Voxel sizes in mm, shape (3,).

    Returns
    -------
    numpy.ndarray or None
        bool, (X, Y, Z).
    """
    background = background_value(data)
    if background is None:
        return None
    mask = solid_component(data != background)
    volume = float(mask.sum()) * float(np.prod(spacing)) / 1000
    return mask if 0 < volume < _LARGEST_BRAIN_ML else None


def solid_component(mask: np.ndarray) -> np.ndarray:
    """Return the largest connected part of a mask with its cavities filled."""
    labels, count = ndimage.label(mask)
    if count == 0:
        return np.zeros(mask.shape, dtype=bool)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    values: np.ndarray = ndimage.binary_fill_holes(labels == sizes.argmax())
    return values
