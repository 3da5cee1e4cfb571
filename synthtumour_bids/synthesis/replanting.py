"""The replant test: a segmentation judged by what the network finds of it in another place.

The tumour, as it was segmented, is planted into brain without a tumour and segmented again. Where
the mask holds the tumour, the network finds just what was planted; where it holds normal brain,
less; where the tumour goes on beyond it, a mask that is grown by a voxel is found as well. What was
planted is known, so that no truth is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .brain import Brain
from .geometry import Mask, dice
from .healthy_half import MAX_SUSPECT, mirror_better_half
from .stage_two import MixParams, mix

# Cut hard along the mask: a wide rim would show, or hide, what lies beyond it.
PLANTING = MixParams(
    flip=False, shift_mm=(0, 0, 0), offset_mm=0, rim_mm=2, contrast=1, brightness=0
)
LEAST_USABLE = 0.5  # share of what is planted that must lie where the ground is known to be normal
Find = Callable[[NDArray[np.float32]], Mask]  # images, (C, X, Y, Z), to a cleaned mask


@dataclass(frozen=True, eq=False)
class Ground:
    """Brain without a tumour, as far as is known, to plant one into.

    Attributes
    ----------
    brains
        One a contrast, on one grid, with one mask.
    doubtful
        Where it may have tumour of its own: nothing is compared there, (X, Y, Z).
    healthy
        Whether next to nothing is doubtful.
    """

    brains: tuple[Brain, ...]
    doubtful: Mask
    healthy: bool


@dataclass(frozen=True)
class Overlaps:
    """Dice of what was planted with what was found, in [0, 1].

    Attributes
    ----------
    same, grown, shrunk
        Of the mask as it is, and with a voxel more or less along its border. A mask that a voxel
        less would leave empty is not shrunk.
    """

    same: float
    grown: float
    shrunk: float


def own_half(brains: Sequence[Brain], probability: NDArray[np.floating]) -> Ground:
    """Make ground of the half of the scan that has less tumour, and its mirror image.

    Parameters
    ----------
    brains
        The scan, one a contrast, on a grid whose axis 0 is symmetric about the midline.
    probability
        Of tumour, (X, Y, Z), in [0, 1].
    """
    halves = [mirror_better_half(brain, probability) for brain in brains]
    first = halves[0]
    return Ground(
        tuple(half.brain for half in halves), first.doubtful, first.suspect <= MAX_SUSPECT
    )


def whole_brain(brains: Sequence[Brain]) -> Ground:
    """Make ground of a tumour-free scan, one brain a contrast."""
    return Ground(tuple(brains), np.zeros(brains[0].image.shape, bool), True)


def can_hold(ground: Ground, mask: Mask) -> bool:
    """Whether enough of a mask, (X, Y, Z), lies where the ground is known to be normal brain."""
    free = np.count_nonzero(mask & ground.brains[0].mask & ~ground.doubtful)
    return bool(free and free >= LEAST_USABLE * np.count_nonzero(mask))


def replant(brains: Sequence[Brain], mask: Mask, ground: Ground, find: Find) -> Overlaps:
    """Plant a tumour, and see what is found of it.

    Parameters
    ----------
    brains
        The scan, one a contrast.
    mask
        What was segmented in it, (X, Y, Z); not empty.
    ground
        Where to; see `can_hold`.
    find
        The whole way from images to a mask that made `mask`.
    """
    shrunk = ndimage.binary_erosion(mask)
    versions = (mask, ndimage.binary_dilation(mask, mask=brains[0].mask), shrunk)
    same, grown = (_overlap(brains, one, ground, find) for one in versions[:2])
    return Overlaps(same, grown, _overlap(brains, shrunk, ground, find) if shrunk.any() else same)


def _overlap(brains: Sequence[Brain], mask: Mask, ground: Ground, find: Find) -> float:
    mixes = [
        mix(brain, mask, host, PLANTING) for brain, host in zip(brains, ground.brains, strict=True)
    ]
    found = find(np.stack([image for image, _ in mixes]))
    planted, known = mixes[0][1] > 0, ~ground.doubtful
    return dice(planted & known, found & known)
