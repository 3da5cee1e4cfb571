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
EDGE = 2  # voxels deep: some tools leave a frame of 0 around everything
MOST_BETWEEN = 0.5  # of voxels without a value may lie between voxels of the head
USUAL = (*(2**n for n in range(10, 32)), *(10**n for n in range(3, 7)), 999, 2000, 9999)
# Of padding that was resampled along with the scan.
LEAST_OF_THE_FACES = 0.01  # of the image's faces have the value
ALIKE = 1e-4  # values that differ by less of the largest are the same
REACH = 4  # voxels that a spline rings about the border of the padding
OVERSHOOT = 0.25  # of an edge: how far a spline rings beyond its two sides
LEAST_NEAR = 0.9  # of what is more padding than signal lies near to voxels with about its value
LEAST_CLEAN = 0.05  # of all voxels must lie farther from the padding
HALF = 0.5  # ranges of the signal that a negative whole number lies below it


@dataclass(frozen=True)
class Fill:
    """A fill value, how many voxels had it, and how many were a mixture of it and of signal."""

    value: float
    count: int
    mixed: int = 0


def without_fills(values: NDArray[Any], slope: float = 1) -> tuple[NDArray[Any], list[Fill]]:
    """Take the padding out of a scan.

    A fill value is the lowest or the highest of all, the same in many voxels, and far from every
    signal: negative in an image of magnitudes, or farther from its neighbour than all others are
    apart. Where a scan was resampled with its padding, mixtures of the two lie in between; those
    next to the padding count as padding, too.

    Parameters
    ----------
    values
        (X, Y, Z), finite real numbers.
    slope
        What they were multiplied by when they were read, where nothing was added.

    Returns
    -------
    values
        With 0 in place of the padding, or the lowest signal where signals are negative; the same
        array where there is none.
    fills
        What was found.
    """
    fills = [*_fills(values, slope, lowest=True), *_fills(values, slope, lowest=False)]
    signal = np.ones(values.shape, bool)
    for fill in fills:
        signal &= values != fill.value
    if not fills:
        return _resampled(values)
    if not signal.any():
        return values, []
    background = min(0, values[signal].min())
    return np.where(signal, values, values.dtype.type(background)), fills


def _fills(values: NDArray[Any], slope: float, *, lowest: bool) -> list[Fill]:
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
    while found and not _is_far(found[-1].value, rests[-1], slope, lowest=lowest):
        found.pop()
        rests.pop()
    return found


def _is_usual(stored: float) -> bool:
    """Whether a number is among those that tools pad with: -1024, -9999 and the like."""
    size = abs(stored)
    return any(abs(size - one) <= ALIKE * one for one in USUAL)


def _is_far(extreme: float, others: NDArray[Any], slope: float, *, lowest: bool) -> bool:
    """Whether a value is too far from all others to be a signal."""
    nearest = float(others.min() if lowest else others.max())
    low, high = (float(one) for one in np.percentile(others, (0.1, 99.9)))
    gap, span = abs(nearest - extreme), high - low
    if lowest:
        # A scan may simply have no dark voxel, and values centred on 0 have a background below it.
        chosen = extreme == round(extreme) or abs(extreme) > HUGE * max(abs(low), abs(high))
        if extreme >= 0 or not (chosen or _is_usual(extreme / slope)):
            return False
        if nearest >= -RINGING * abs(high) and extreme < 4 * min(0.0, nearest):
            return True
    return span > 0 and gap > ALONE * span


def _resampled(values: NDArray[Any]) -> tuple[NDArray[Any], list[Fill]]:
    """Take out padding that was resampled along with the scan, as `without_fills` does."""
    faces = np.concatenate([np.take(values, (0, -1), axis=axis).ravel() for axis in range(3)])
    scale, n_faces = float(np.abs(faces).max()), faces.size
    faces = faces[(faces < 0) | (faces > values.max() / 2)]  # few in most scans: air is about 0
    if faces.size < LEAST_OF_THE_FACES * n_faces or scale == 0:
        return values, []
    steps, counts = np.unique(np.round(faces / (ALIKE * scale)), return_counts=True)
    same = np.abs(values - ALIKE * scale * steps[counts.argmax()]) <= ALIKE * scale
    count = int(np.count_nonzero(same))
    if counts.max() < LEAST_OF_THE_FACES * n_faces or count < LEAST_SHARE * values.size:
        return values, []
    value = float(np.median(values[same]))
    outermost = float(values.min() if value < 0 else values.max())
    if abs(outermost) > 2 * abs(value):  # nothing that a spline could swing to
        return values, []
    # Half-way to the signal lies what is more padding than signal, and what a spline has swung to.
    parts, _ = ndimage.label(values < value / 2 if value < 0 else values > value / 2)
    core = np.isin(parts, np.unique(parts[same]))
    swung = np.abs(values - value) <= OVERSHOOT * abs(value)
    around = ndimage.maximum_filter(swung, 2 * REACH + 1)
    if np.count_nonzero(core & around) < LEAST_NEAR * np.count_nonzero(core):
        return values, []
    near = ndimage.maximum_filter(core, 2 * REACH + 1)
    clean = values[~near]
    if clean.size < LEAST_CLEAN * values.size or not _is_far_from(value, clean):
        return values, []
    padding = ndimage.maximum_filter(core, 3)
    padding |= near & ((values < clean.min()) | (values > clean.max()))
    low, high = np.percentile(clean, (0.1, 99.9))
    background = values.dtype.type(0 if low >= -OVERSHOOT * high else low)
    mixed = int(np.count_nonzero(padding)) - count
    return np.where(padding, background, values), [Fill(value, count, mixed)]


def _is_far_from(value: float, signal: NDArray[Any]) -> bool:
    """Whether a value that fills the image's faces is too far from the signal to be one."""
    low, high = (float(one) for one in np.percentile(signal, (0.1, 99.9)))
    gap, span = max(low - value, value - high), high - low
    if value < 0:
        whole = abs(value - round(value)) <= ALIKE * abs(value)
        if not whole and abs(value) <= HUGE * max(abs(low), abs(high)):
            return False
        if low >= -OVERSHOOT * high:
            return gap > HALF * span > 0
    return span > 0 and gap > ALONE * span


def is_background(missing: NDArray[np.bool_]) -> bool:
    """Whether voxels without a value lie around the head, and not here and there in it.

    Parameters
    ----------
    missing
        (X, Y, Z), where the value is NaN or infinite.
    """
    parts, count = ndimage.label(missing)
    if not count or _cuts(missing):
        return False
    layers = (*range(EDGE), *range(-EDGE, 0))
    edges = np.concatenate(
        [np.take(parts, layers, axis=axis).ravel() for axis in range(parts.ndim)]
    )
    outside = np.isin(parts, np.setdiff1d(edges, [0]))
    return bool(np.count_nonzero(outside) >= IN_FROM_THE_EDGE * np.count_nonzero(missing))


def _cuts(missing: NDArray[np.bool_]) -> bool:
    """Whether slices or other parts of the head itself are missing, up to the image's edge."""
    head = ndimage.binary_erosion(~missing)  # without single voxels of noise, and without a frame
    between = np.zeros(missing.shape, bool)
    for axis in range(missing.ndim):
        others = tuple(one for one in range(missing.ndim) if one != axis)
        there = np.flatnonzero(~missing.all(axis=others))
        if there.size and there.size < np.ptp(there) + 1:
            return True
        before = np.logical_or.accumulate(head, axis)
        after = np.flip(np.logical_or.accumulate(np.flip(head, axis), axis), axis)
        between |= before & after
    share = np.count_nonzero(between & missing) / np.count_nonzero(missing)
    return bool(share > MOST_BETWEEN)
