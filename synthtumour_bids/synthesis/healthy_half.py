"""Tumour-free brains out of tumour scans: the half without the tumour, and its mirror image.

Tumour-free scans come from other scanners and people than the tumour scans do; a network that has
seen normal brain in the former alone takes what is foreign in the latter for tumour, or the other
way round. Most tumours leave one half of the brain alone. On the symmetric template grid that half
and its mirror image make a whole brain, with the look of the very scans that are to be segmented.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .brain import Brain
from .geometry import Mask, near

Side = Literal["low", "high"]

# Tumour probability from which a voxel is not trusted to be normal. Where the network does no more
# than hesitate, it has the more to learn from being shown.
SUSPECT = 0.5
MARGIN_MM = 6.0  # nor are its surroundings
MAX_SUSPECT = 0.02  # of the better half, that may still be suspect
SEAM_MM = 3.0  # over which the halves fade into each other, on either side of the midline


@dataclass(frozen=True, eq=False)
class HealthyHalf:
    """A brain made of one half and its mirror image.

    Attributes
    ----------
    brain
        Ready to be a host; symmetric up to the seam.
    side
        Which end of array axis 0 the half is from: ``"low"`` or ``"high"``.
    suspect
        Share of the half's brain that may be tumour.
    """

    brain: Brain
    side: Side
    suspect: float


def mirror_healthy_half(scan: Brain, probability: NDArray[np.floating[Any]]) -> HealthyHalf | None:
    """Make a tumour-free brain out of a tumour scan, if one of its halves is free of tumour.

    Parameters
    ----------
    scan, probability
        As for `mirror_better_half`.

    Returns
    -------
    HealthyHalf or None
        None where both halves have more than 2 % that may be tumour.

    Raises
    ------
    ValueError
        If the probability is on another grid.
    """
    half = mirror_better_half(scan, probability)
    return half if half.suspect <= MAX_SUSPECT else None


def mirror_better_half(scan: Brain, probability: NDArray[np.floating[Any]]) -> HealthyHalf:
    """Make a brain out of the half that has less tumour, however much that is.

    Parameters
    ----------
    scan
        On a grid whose axis 0 runs left–right and is symmetric about the midline.
    probability
        A network's tumour probability on the same grid, (X, Y, Z), in [0, 1].

    Returns
    -------
    HealthyHalf

    Raises
    ------
    ValueError
        If the probability is on another grid.
    """
    image, brain, spacing = scan.image, scan.mask, scan.spacing
    if image.shape != probability.shape:
        raise ValueError(
            f"Probability, {probability.shape}, and scan, {image.shape}, differ in grid."
        )
    suspect = (probability >= SUSPECT) & brain
    if suspect.any():
        suspect = brain & near(suspect, MARGIN_MM, spacing)
    middle = (image.shape[0] - 1) / 2
    offset = (np.arange(image.shape[0]) - middle)[:, None, None] * spacing[0]
    sides: tuple[tuple[Side, Mask], ...] = (("low", offset < 0), ("high", offset > 0))
    shares: dict[Side, float] = {}
    for side, own in sides:
        voxels = np.count_nonzero(brain & own)
        shares[side] = np.count_nonzero(suspect & own) / voxels if voxels else 1.0
    side = min(shares, key=lambda name: shares[name])
    inwards = offset if side == "high" else -offset
    weight = np.clip(0.5 + inwards / (2 * SEAM_MM), 0, 1).astype(np.float32)
    whole = np.where(inwards >= 0, brain, brain[::-1])
    # At the seam, where only one of the halves is brain, or the other one may be tumour, that one
    # counts.
    usable = brain & ((inwards >= 0) | ~suspect)
    weight = np.where(usable & usable[::-1], weight, usable).astype(np.float32)
    mixed = weight * image + (1 - weight) * image[::-1]
    made = Brain(np.where(whole, mixed, 0).astype(np.float32), whole, spacing)
    return HealthyHalf(made, side, float(shares[side]))
