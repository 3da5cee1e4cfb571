"""A head with FLAIR contrast, modelled around the standard brain.

The ICBM maps that come with nilearn end at the brain. What lies outside is laid on in shells of
anatomical thickness: fluid, bone (no signal), scalp with its fat (bright).
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

# Signal of FLAIR relative to white matter.
_GREY, _WHITE, _FLUID, _BONE, _SCALP = 1.15, 1.0, 0.25, 0.1, 1.2
# Distances from the brain's surface in mm.
_FLUID_TO, _BONE_TO, _SCALP_TO = 1.5, 8.0, 14.0


def build_head(
    gm: np.ndarray, wm: np.ndarray, brain: np.ndarray, affine: np.ndarray, spacing: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Build the head.

    Parameters
    ----------
    gm, wm
        Tissue probabilities, arrays (X, Y, Z) in RAS order.
    brain
        Brain with its fluid, bool.
    affine
        Voxel to RAS mm of these arrays.
    spacing
        Voxel size in mm.

    Returns
    -------
    head, brain, affine
        Head signal and brain probability as float32 arrays on a grid that is widened to hold
        the scalp, and its affine.
    """
    margin = int(np.ceil((_SCALP_TO + 4) / spacing))
    gm, wm, inside = (np.pad(a, margin) for a in (gm, wm, brain))
    affine = affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ np.full(3, margin)

    distance = ndimage.distance_transform_edt(~inside, sampling=spacing)
    head = np.where(inside, _FLUID + gm * (_GREY - _FLUID) + wm * (_WHITE - _FLUID), 0.0)
    head[~inside & (distance <= _FLUID_TO)] = _FLUID
    head[(distance > _FLUID_TO) & (distance <= _BONE_TO)] = _BONE
    head[(distance > _BONE_TO) & (distance <= _SCALP_TO)] = _SCALP
    head = ndimage.gaussian_filter(head, 1.0 / spacing)
    probability = ndimage.gaussian_filter(inside.astype(np.float32), 1.0 / spacing)
    return head.astype(np.float32), probability.astype(np.float32), affine
