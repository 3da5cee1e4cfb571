"""Distances in millimetres from every voxel of a grid to a mask."""

from __future__ import annotations

import numpy as np


def distance_to(mask: np.ndarray, spacing: np.ndarray | float) -> np.ndarray:
    """Distance of every voxel to the nearest voxel of a mask, centre to centre, 0 inside it.

    Exact, like SciPy's, in half the time, and the same by any number of threads (C. R. Maurer Jr
    et al., IEEE Trans Pattern Anal Mach Intell 25(2):265-270, 2003).

    Parameters
    ----------
    mask
        bool (X, Y, Z).
    spacing
        Voxel sizes in mm, shape (3,), or one for all axes.

    Returns
    -------
    numpy.ndarray
        float32 (X, Y, Z), mm; infinite for an empty mask.
    """
    import SimpleITK as sitk

    if not mask.any():
        return np.full(mask.shape, np.inf, dtype=np.float32)
    image = sitk.GetImageFromArray(np.ascontiguousarray(mask).view(np.uint8))
    # An array's last axis is an ITK image's first.
    image.SetSpacing(np.broadcast_to(np.asarray(spacing, dtype=float), 3)[::-1].tolist())
    squared = sitk.GetArrayFromImage(
        sitk.SignedMaurerDistanceMap(image, squaredDistance=True, useImageSpacing=True)
    )
    return np.where(mask, np.float32(0), np.sqrt(np.maximum(squared, 0))).astype(np.float32)
