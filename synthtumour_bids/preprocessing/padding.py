"""Padding: voxels outside the field of view that carry a fill value instead of a signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

LEAST_SHARE = 0.001  # of all voxels; fewer equal values may be chance
MOST_FILLS = 4  # different fill values of one scan
ALONE = 1.0  # distance from the nearest value, in ranges of all others
HUGE = 10.0  # times all others: no centring of signals brings a background so far down
RINGING = 0.05  # values that interpolation brings below 0, as a share of the largest
IN_FROM_THE_EDGE = 0.95  # of voxels without a value, where they are background


@dataclass(frozen=True)
class Fill:
    """A fill value and how many voxels had it."""

    value: float
    count: int


def without_fills(values: NDArray[Any]) -> tuple[NDArray[Any], list[Fill]]:
    """Take the padding out of a scan.

    A fill value is the lowest or the highest of all, the same in many voxels, and far from every
    signal: negative in an image of magnitudes, or farther from its neighbour than all others are
    apart.

    Parameters
    ----------
    values
        (X, Y, Z), finite real numbers.

    Returns
    -------
    values
        With 0 in place of the padding, or the lowest signal where signals are negative; the same
        array where there is none.
    fills
        What was found.
    """
    fills = [*_fills(values, lowest=True), *_fills(values, lowest=False)]
    signal = np.ones(values.shape, bool)
    for fill in fills:
        signal &= values != fill.value
    if not fills or not signal.any():
        return values, []
    background = min(0, values[signal].min())
    return np.where(signal, values, values.dtype.type(background)), fills


def _fills(values: NDArray[Any], *, lowest: bool) -> list[Fill]:
    """Fill values at one end, the outermost first."""
    least = max(2.0, LEAST_SHARE * values.size)
    rest, found = values, []
    rests = []
    for _ in range(MOST_FILLS):
        extreme = rest.min() if lowest else rest.max()
        count = int(np.count_nonzero(rest == extreme))
        if count < least or count == rest.size:
            break
        rest = rest[rest != extreme]
        found.append(Fill(float(extreme), count))
        rests.append(rest)
    while found and not _is_far(found[-1].value, rests[-1], lowest=lowest):
        found.pop()
        rests.pop()
    return found


def _is_far(extreme: float, others: NDArray[Any], *, lowest: bool) -> bool:
    """Whether a value is too far from all others to be a signal."""
    nearest = float(others.min() if lowest else others.max())
    low, high = (float(one) for one in np.percentile(others, (0.1, 99.9)))
    gap, span = abs(nearest - extreme), high - low
    if lowest:
        # A scan may simply have no dark voxel, and values centred on 0 have a background below it.
        chosen = extreme == round(extreme) or abs(extreme) > HUGE * max(abs(low), abs(high))
        if extreme >= 0 or not chosen:
            return False
        if nearest >= -RINGING * abs(high) and extreme < 4 * min(0.0, nearest):
            return True
    return span > 0 and gap > ALONE * span


def is_background(missing: NDArray[np.bool_]) -> bool:
    """Whether voxels without a value lie around the head, and not here and there in it.

    Parameters
    ----------
    missing
        (X, Y, Z), where the value is NaN or infinite.
    """
    parts, count = ndimage.label(missing)
    if not count:
        return False
    edges = np.concatenate(
        [np.take(parts, (0, -1), axis=axis).ravel() for axis in range(parts.ndim)]
    )
    outside = np.isin(parts, np.setdiff1d(edges, [0]))
    return bool(np.count_nonzero(outside) >= IN_FROM_THE_EDGE * np.count_nonzero(missing))
