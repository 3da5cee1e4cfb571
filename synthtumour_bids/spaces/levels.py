"""A mask as levels, whose border lies between voxels: what is interpolated on another grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BORDER = 0.5
MARGIN = 0.05  # so that a voxel stays on its side of the border


def levels(mask: NDArray[np.bool_], probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Make an image that is at least 0.5 in the mask and below outside.

    Interpolated and cut at 0.5, it gives a mask whose border is as smooth as the probability's,
    even across thick slices, where a mask interpolated by itself would have steps. At the centres
    of the scan's own voxels it is the mask itself: what was dropped from it does not come back, and
    what was filled in stays.

    Parameters
    ----------
    mask, probability
        On one grid, (X, Y, Z); probability in [0, 1].
    """
    inside = np.maximum(probability, BORDER + MARGIN)
    outside = np.minimum(probability, BORDER - MARGIN)
    return np.where(mask, inside, outside).astype(np.float32)
