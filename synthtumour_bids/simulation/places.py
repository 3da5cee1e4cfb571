"""Soft masks of places in the average head; ``at`` holds |x|, y and z in MNI mm, of one shape."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from synthtumour_bids.simulation.fields import smooth_step

Point = tuple[float, float, float]
Places = tuple[np.ndarray, np.ndarray, np.ndarray]


def ellipsoid(at: Places, centre: Point, radii: Point) -> np.ndarray:
    """Return 1 in the ellipsoid's inner two thirds, 0 a third of its radius beyond it."""
    square = sum(
        ((one - middle) / radius) ** 2
        for one, middle, radius in zip(at, centre, radii, strict=True)
    )
    return 1 - smooth_step(np.sqrt(square), 0.67, 1.33)


def blob(at: Places, centre: Point, size: float) -> np.ndarray:
    """Return a Gaussian of standard deviation ``size`` mm, 1 at its centre."""
    square = sum((one - middle) ** 2 for one, middle in zip(at, centre, strict=True))
    values: np.ndarray = np.exp(-square / (2 * size**2))
    return values


def between(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return 1 between ``low`` and ``high``, 1/2 at both.

    It fades over a quarter of the distance between them on either side of each.
    """
    fade = (high - low) / 4
    rising = smooth_step(values, low - fade, low + fade)
    result: np.ndarray = rising * (1 - smooth_step(values, high - fade, high + fade))
    return result


def near_line(at: Places, points: Sequence[Point], radius: float) -> np.ndarray:
    """Return a Gaussian around the line through points, ``radius`` mm its standard deviation."""
    place = np.stack(at)
    nearest = np.full(at[0].shape, np.inf, np.float32)
    for start, end in pairwise(points):
        first, along = np.array(start, np.float32), np.subtract(end, start).astype(np.float32)
        offset = place - first.reshape(3, *[1] * at[0].ndim)
        share = np.tensordot(along, offset, 1) / np.dot(along, along)
        share = np.clip(share, 0, 1)
        beside = offset - along.reshape(3, *[1] * at[0].ndim) * share
        nearest = np.minimum(nearest, np.sum(beside**2, axis=0))
    values: np.ndarray = np.exp(-nearest / (2 * radius**2))
    return values
