"""How much like a tumour the strongest part of a mask is: one number for a whole scan."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthtumour_bids.segmentation.other_side import NEIGHBOURS
from synthtumour_bids.segmentation.other_side_rules import ComponentVerdict, OtherSide, Reason

LEAST_EXCESS = OtherSide().least_difference  # SD; where nothing is known of a part that stays
BY_ITSELF = (Reason.BRIGHT_ACROSS, Reason.BRIGHT_PAIR, Reason.BRIGHT_CORE)


def tumour_likeness(
    probability: NDArray[np.floating],
    mask: NDArray[np.bool_],
    verdicts: Sequence[ComponentVerdict],
    spacing: Sequence[float],
) -> float:
    """Likeness of the part that is most like a tumour.

    The likeness of a part is its volume, each voxel weighted by its probability, times its excess:
    by how much it is brighter than the place that mirrors it. So a part must be large, certain and
    brighter than the other side at once. Parts that are dropped count nothing.

    Parameters
    ----------
    probability
        Of tumour, (X, Y, Z), in [0, 1].
    mask
        Whose parts (26-connected) are looked at, (X, Y, Z).
    verdicts
        On these parts, as :func:`.other_side.compare` gave them; none where nothing was compared.
    spacing
        Voxel size along the axes, mm.

    Returns
    -------
    float
        mL · SD, at least 0; 0 for an empty mask.

    Raises
    ------
    ValueError
        When the verdicts are not those of this mask.
    """
    labels, count = ndimage.label(np.asarray(mask, dtype=bool), NEIGHBOURS)
    if not count:
        return 0.0
    if verdicts and len(verdicts) != count:
        raise ValueError(f"{len(verdicts)} verdicts do not fit a mask with {count} parts")
    sums = ndimage.sum_labels(np.asarray(probability, np.float64), labels, range(1, count + 1))
    volumes = sums * float(np.prod(spacing)) / 1000
    excess = [excess_of(one) for one in verdicts] or [LEAST_EXCESS] * count
    return float(np.max(volumes * np.asarray(excess)))


def excess_of(verdict: ComponentVerdict) -> float:
    """By how much a part stands out, SD: 0 for one that is dropped.

    That is its difference from the other side, and of a part that stays although the other side is
    like it, its difference from the brain's median. Where neither is known, it is the least that
    keeps a part, and so it is of a part across the midline that stays for what of it is not
    mirrored in itself: its difference as a whole is less than that.
    """
    if not verdict.kept:
        return 0.0
    by_itself = verdict.reason in BY_ITSELF
    known = verdict.brightness if by_itself else verdict.difference
    return max(LEAST_EXCESS, known or 0.0)
