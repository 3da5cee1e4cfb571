"""Soft masks around a lesion: 1 on it, falling smoothly to exactly 0 at a given distance.

Not settled by the paper; ours: that there is a gate, its 6 mm and 2 mm, and how it falls.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..boxes import Box, Spacing, box_of

GATE_MM = 6.0  # how far beyond a lesion refinement may reach
GATE_FULL_MM = 2.0  # up to here with all its strength


def distance_mm(mask: NDArray[Any], spacing: Spacing) -> NDArray[np.float32]:
    """Distance of every voxel from a mask, mm; infinite where the mask is empty."""
    if not mask.any():
        return np.full(mask.shape, np.inf, dtype=np.float32)
    values: NDArray[np.float32] = ndimage.distance_transform_edt(~mask, sampling=spacing).astype(
        np.float32
    )
    return values


def fade(distance: NDArray[np.float32], full_mm: float, rim_mm: float) -> NDArray[np.float32]:
    """1 up to `full_mm`, then a smooth fall that is exactly 0 from `full_mm + rim_mm` on."""
    ramp = np.clip(1 - (distance - full_mm) / max(rim_mm, 1e-3), 0, 1)
    values: NDArray[np.float32] = (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
    return values


def gate_of(
    classes: NDArray[Any], brain: NDArray[Any], spacing: Spacing, reach_mm: float = GATE_MM
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


def reach_box(mask: NDArray[Any], spacing: Spacing, reach_mm: float) -> Box:
    """Box around a mask with all voxels within `reach_mm`; empty for an empty mask."""
    tight = box_of(mask)
    if tight.empty:
        return tight
    i, j, k = (int(np.ceil(reach_mm / s)) for s in spacing)
    return tight.grown((i, j, k), mask.shape)
