"""What a mask encloses, though it may be open somewhere.

A network that has learned from FLAIR marks what is bright, and leaves out solid or necrotic parts
amid it that are as grey as normal brain. Annotators count these as tumour. A cavity that is closed
on all sides is filled easily, but hardly any is: a bright rim has gaps. So a voxel counts as
enclosed when the mask can be seen from it in nearly all directions. Fluid does not count, so that
ventricles between two parts of a tumour stay out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .brain import Brain
from .geometry import Mask, box_of, extended

FLUID_SD = -2.0  # in robust standard deviations of normal brain, below which a voxel is fluid
Step = tuple[int, int, int]
DIRECTIONS: tuple[Step, ...] = tuple(
    (x, y, z) for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1) if x or y or z
)


def add_enclosed(mask: Mask, scan: Brain, share: float, never: Mask | None = None) -> Mask:
    """Add what a tumour mask encloses of the brain and touches, apart from fluid.

    Parameters
    ----------
    mask
        Of the tumour, (X, Y, Z).
    scan
        FLAIR on the same grid, of voxels of one size along all axes: on others the directions are
        not evenly spread.
    share
        See `enclosed`; 1: nothing is added.
    never
        What is not added either.

    Returns
    -------
    ndarray of bool
        (X, Y, Z).
    """
    if share == 1 or not mask.any():
        return mask
    normal = scan.image[scan.mask & ~mask]
    if not normal.size:
        return mask
    middle = float(np.median(normal))
    spread = 1.4826 * float(np.median(np.abs(normal - middle)))
    allowed = scan.mask & (scan.image >= middle + FLUID_SD * spread)
    if never is not None:
        allowed &= ~never
    return extended(mask, enclosed(mask, share) & allowed)


def enclosed(mask: Mask, share: float) -> Mask:
    """Voxels that lie in a mask, or that it encloses.

    Parameters
    ----------
    mask
        (X, Y, Z).
    share
        Of the 26 directions to a voxel's neighbours, in which the mask must lie, however far away;
        more than 9 of 26, from which on nothing outside the mask's box is enclosed.

    Returns
    -------
    ndarray of bool
        (X, Y, Z).
    """
    out = np.array(mask, dtype=bool)
    here = box_of(out).slices
    within = out[here]
    seen = np.zeros(within.shape, np.uint8)
    for step in DIRECTIONS:
        seen += _seen_along(within, step)
    out[here] |= seen >= share * len(DIRECTIONS)
    return out


def _seen_along(mask: Mask, step: Step) -> NDArray[np.bool_]:
    """Voxels from which a mask lies in one direction, found by leaps of doubled length."""
    found, length = _moved(mask, step), 1
    while length < max(mask.shape):
        found |= _moved(found, (step[0] * length, step[1] * length, step[2] * length))
        length *= 2
    return found


def _moved(mask: Mask, step: Step) -> NDArray[np.bool_]:
    """At each voxel, the mask one step further on; nothing beyond the array's end."""
    out = np.zeros(mask.shape, bool)
    if all(abs(leap) < size for leap, size in zip(step, mask.shape, strict=True)):
        target = tuple(
            slice(max(-leap, 0), size - max(leap, 0))
            for leap, size in zip(step, mask.shape, strict=True)
        )
        source = tuple(
            slice(max(leap, 0), size - max(-leap, 0))
            for leap, size in zip(step, mask.shape, strict=True)
        )
        out[target] = mask[source]
    return out
