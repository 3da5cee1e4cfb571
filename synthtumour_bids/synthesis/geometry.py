"""Boxes of voxels, and what else of geometry several modules need.

All synthesis happens inside the lesion's box, never on the whole volume.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Spacing = tuple[float, float, float]  # voxel size along the array's axes, mm
Triple = tuple[float, float, float]
Mask = NDArray[np.bool_]
Numbers = NDArray[np.integer[Any] | np.floating[Any]]
MaskLike = NDArray[np.bool_ | np.integer[Any] | np.floating[Any]]  # inside where above 0
Axes = tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]], NDArray[np.floating[Any]]]
T = TypeVar("T")


def triple(values: Iterable[T]) -> tuple[T, T, T]:
    """Three values, one per axis, as a tuple."""
    i, j, k = values
    return i, j, k


@dataclass(frozen=True)
class Box:
    """Half-open index ranges along the three array axes."""

    start: tuple[int, int, int]
    stop: tuple[int, int, int]

    @classmethod
    def of(cls, start: Iterable[int], stop: Iterable[int]) -> Box:
        """Make a box of any iterables.

        Parameters
        ----------
        start, stop
            Three indices each.
        """
        return cls(triple(start), triple(stop))

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The box as an index."""
        return triple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along each axis."""
        return triple(max(b - a, 0) for a, b in zip(self.start, self.stop, strict=True))

    @property
    def empty(self) -> bool:
        """Whether it holds no voxel."""
        return 0 in self.shape

    def grown(self, voxels: tuple[int, int, int], shape: tuple[int, ...]) -> Box:
        """Return the box with a margin, cut at the array's ends.

        Parameters
        ----------
        voxels
            Width of the margin along each axis.
        shape
            The array's.
        """
        return Box.of(
            (max(a - m, 0) for a, m in zip(self.start, voxels, strict=True)),
            (min(b + m, n) for b, m, n in zip(self.stop, voxels, shape, strict=True)),
        )

    def common(self, other: Box) -> Box:
        """Return the part that both boxes share; an empty box where there is none."""
        start = triple(max(a, b) for a, b in zip(self.start, other.start, strict=True))
        ends = zip(start, self.stop, other.stop, strict=True)
        return Box.of(start, (max(low, min(a, b)) for low, a, b in ends))

    def moved(self, voxels: Iterable[int]) -> Box:
        """Return the box, so many voxels further along each axis."""
        steps = triple(voxels)
        return Box.of(
            (a + d for a, d in zip(self.start, steps, strict=True)),
            (b + d for b, d in zip(self.stop, steps, strict=True)),
        )

    def within(self, outer: Box) -> tuple[slice, slice, slice]:
        """Index of this box in an array that covers `outer`."""
        edges = zip(self.start, self.stop, outer.start, strict=True)
        return triple(slice(a - o, b - o) for a, b, o in edges)

    def axes_mm(self, spacing: Spacing) -> Axes:
        """Voxel centres along each axis, in mm from the first voxel of the array."""
        ranges = zip(self.start, self.stop, spacing, strict=True)
        return triple(np.arange(a, b) * s for a, b, s in ranges)


def box_around(
    low_mm: NDArray[np.float64],
    high_mm: NDArray[np.float64],
    spacing: Spacing,
    shape: tuple[int, ...],
) -> Box:
    """Smallest box of voxels, cut at the array's ends, that holds the given extent.

    Parameters
    ----------
    low_mm, high_mm
        Its ends along each axis, (3,), mm from the array's first voxel.
    spacing
        Voxel size, mm.
    shape
        The array's.
    """
    start = np.clip(np.floor(low_mm / np.array(spacing)), 0, shape).astype(int)
    stop = np.clip(np.ceil(high_mm / np.array(spacing)) + 1, 0, shape).astype(int)
    return Box.of(start.tolist(), stop.tolist())


def box_of(mask: Mask) -> Box:
    """Smallest box that holds a mask, (X, Y, Z); an empty box for an empty mask."""
    start, stop = [], []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        filled = np.flatnonzero(mask.any(axis=others))
        start.append(int(filled[0]) if filled.size else 0)
        stop.append(int(filled[-1]) + 1 if filled.size else 0)
    return Box.of(start, stop)


def slabs(shape: tuple[int, ...], voxels: int) -> Iterator[slice]:
    """Cut the first axis of an array into slabs of at most about so many voxels.

    What is computed slab by slab stays in the processor's cache; nothing else changes.

    Parameters
    ----------
    shape
        The array's.
    voxels
        How many a slab may hold; one layer is the least.
    """
    thickness = max(1, voxels // max(math.prod(shape[1:]), 1))
    for start in range(0, shape[0], thickness):
        yield slice(start, min(start + thickness, shape[0]))


def largest_component(mask: Mask) -> Mask:
    """Largest face-connected component of a mask, (X, Y, Z)."""
    labels, n = ndimage.label(mask)
    if n <= 1:
        return mask.astype(bool)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == sizes.argmax())


def extended(mask: Mask, added: Mask) -> Mask:
    """A mask with those parts of what is added to it that touch it, corners included."""
    labels, _ = ndimage.label(mask | added, np.ones((3, 3, 3)))
    return np.isin(labels, np.unique(labels[mask]))


def near(mask: Mask, distance_mm: float, spacing: Spacing) -> Mask:
    """Voxels of a mask and those at most so far from it, sought in the box that holds them.

    Parameters
    ----------
    mask
        (X, Y, Z).
    distance_mm
        Between the centres of voxels.
    spacing
        Voxel size, mm.
    """
    out = np.zeros(mask.shape, bool)
    reach = triple(math.ceil(distance_mm / size) for size in spacing)
    tight = box_of(mask)
    if not tight.empty:
        here = tight.grown(reach, mask.shape).slices
        out[here] = ndimage.distance_transform_edt(~mask[here], sampling=spacing) <= distance_mm
    return out


def core(mask: Mask, depth_mm: float, spacing: Spacing) -> Mask:
    """Voxels of a mask that are further than so much from what is not in it.

    Parameters
    ----------
    mask
        (X, Y, Z).
    depth_mm
        To the centre of the next voxel outside; the array's end is no border.
    spacing
        Voxel size, mm.
    """
    if mask.all():  # nothing is outside, and distances would be to a place outside of the array
        return mask.copy()
    out = np.zeros(mask.shape, bool)
    here = box_of(mask).grown((1, 1, 1), mask.shape).slices
    out[here] = ndimage.distance_transform_edt(mask[here], sampling=spacing) > depth_mm
    return out


def smoothstep(ramp: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """3 r² - 2 r³ of a ramp from 0 to 1: from 0 to 1 as well, level at both ends.

    Examples
    --------
    >>> smoothstep(np.array([0.0, 0.25, 0.5, 1.0])).tolist()
    [0.0, 0.15625, 0.5, 1.0]
    """
    return np.asarray(ramp * ramp * (3 - 2 * ramp))


def dice(a: Mask, b: Mask) -> float:
    """Dice overlap of two masks, in [0, 1]; 1 for two empty ones.

    Parameters
    ----------
    a, b
        Of one shape.

    Raises
    ------
    ValueError
        If they are not.

    Examples
    --------
    >>> dice(np.array([True, True, False]), np.array([False, True, True]))
    0.5
    """
    if a.shape != b.shape:
        raise ValueError(f"masks of shapes {a.shape} and {b.shape} cannot be compared")
    total = np.count_nonzero(a) + np.count_nonzero(b)
    return float(2 * np.count_nonzero(a & b) / total) if total else 1.0
