"""Soft masks around a lesion: 1 on it, falling smoothly to exactly 0 at a given distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..geometry import Box, Mask, Spacing, box_of, smoothstep, triple

GATE_MM = 6.0  # how far beyond a lesion refinement may reach
GATE_FULL_MM = 2.0  # up to here with all its strength


def distance_mm(mask: Mask, spacing: Spacing) -> NDArray[np.float32]:
    """Distance of every voxel from a mask, (X, Y, Z), mm; infinite where the mask is empty.

    Parameters
    ----------
    mask
        (X, Y, Z).
    spacing
        Voxel size, mm.
    """
    if not mask.any():
        return np.full(mask.shape, np.inf, dtype=np.float32)
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=spacing), dtype=np.float32)


def fade(distance: NDArray[np.float32], full_mm: float, rim_mm: float) -> NDArray[np.float32]:
    """1 up to `full_mm`, then a smooth fall that is exactly 0 from `full_mm + rim_mm` on.

    Parameters
    ----------
    distance
        mm, of any shape.
    full_mm, rim_mm
        Where the fall begins, and how wide it is.

    Returns
    -------
    ndarray of float32
        In [0, 1], of the same shape.
    """
    ramp = np.clip(1 - (distance - full_mm) / max(rim_mm, 1e-3), 0, 1)
    return smoothstep(ramp).astype(np.float32)


def gate_of(
    classes: NDArray[np.uint8], brain: Mask, spacing: Spacing, reach_mm: float = GATE_MM
) -> NDArray[np.float32]:
    """Where, and how strongly, a lesion may be refined.

    Parameters
    ----------
    classes, brain
        Tumour classes and brain mask, (X, Y, Z).
    spacing
        Voxel size, mm.
    reach_mm
        Nothing farther from the lesion than this is changed.

    Returns
    -------
    ndarray of float32
        (X, Y, Z), in [0, 1]: 1 on the lesion, 0 outside the brain and beyond the reach.
    """
    gate = np.zeros(classes.shape, dtype=np.float32)
    box = reach_box(classes > 0, spacing, reach_mm)
    if not box.empty:
        distance = distance_mm(classes[box.slices] > 0, spacing)
        full = min(GATE_FULL_MM, reach_mm / 2)
        gate[box.slices] = fade(distance, full, reach_mm - full) * brain[box.slices]
    return gate


def reach_box(mask: Mask, spacing: Spacing, reach_mm: float) -> Box:
    """Box around a mask with all voxels within a reach of it; empty for an empty mask.

    Parameters
    ----------
    mask
        (X, Y, Z).
    spacing
        Voxel size, mm.
    reach_mm
        The reach, mm.
    """
    tight = box_of(mask)
    if tight.empty:
        return tight
    return tight.grown(triple(int(np.ceil(reach_mm / s)) for s in spacing), mask.shape)
