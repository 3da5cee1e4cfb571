"""Boxes of voxels: all synthesis happens inside the lesion's, never on the whole volume."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class Box:
    """Half-open index ranges along the three array axes."""

    start: tuple[int, int, int]
    stop: tuple[int, int, int]

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The box as an index."""
        i, j, k = (slice(a, b) for a, b in zip(self.start, self.stop, strict=True))
        return i, j, k

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along each axis."""
        i, j, k = (max(b - a, 0) for a, b in zip(self.start, self.stop, strict=True))
        return i, j, k

    @property
    def empty(self) -> bool:
        """Whether it holds no voxel."""
        return 0 in self.shape

    def grown(self, voxels: tuple[int, int, int], shape: tuple[int, ...]) -> Box:
        """Return the box with a margin, cut at the array's ends."""
        start = tuple(max(a - m, 0) for a, m in zip(self.start, voxels, strict=True))
        stop = tuple(min(b + m, n) for b, m, n in zip(self.stop, voxels, shape, strict=True))
        return Box(start, stop)  # type: ignore[arg-type]

    def common(self, other: Box) -> Box:
        """Return the part that both boxes share; an empty box where there is none."""
        start = tuple(max(a, b) for a, b in zip(self.start, other.start, strict=True))
        ends = zip(start, self.stop, other.stop, strict=True)
        return Box(start, tuple(max(low, min(a, b)) for low, a, b in ends))  # type: ignore[arg-type]

    def within(self, outer: Box) -> tuple[slice, slice, slice]:
        """Index of this box in an array that covers `outer`."""
        i, j, k = (
            slice(a - o, b - o) for a, b, o in zip(self.start, self.stop, outer.start, strict=True)
        )
        return i, j, k

    def axes_mm(self, spacing: Spacing) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Voxel centres along each axis, in mm from the first voxel of the array."""
        i, j, k = (
            np.arange(a, b) * s for a, b, s in zip(self.start, self.stop, spacing, strict=True)
        )
        return i, j, k


def box_around(
    low_mm: NDArray[Any], high_mm: NDArray[Any], spacing: Spacing, shape: tuple[int, ...]
) -> Box:
    """Smallest box of voxels, cut at the array's ends, that holds the given extent."""
    start = np.clip(np.floor(low_mm / np.array(spacing)), 0, shape).astype(int)
    stop = np.clip(np.ceil(high_mm / np.array(spacing)) + 1, 0, shape).astype(int)
    return Box(tuple(start.tolist()), tuple(stop.tolist()))


def box_of(mask: NDArray[Any]) -> Box:
    """Smallest box that holds a mask; an empty box for an empty mask."""
    start, stop = [], []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        filled = np.flatnonzero(mask.any(axis=others))
        start.append(int(filled[0]) if filled.size else 0)
        stop.append(int(filled[-1]) + 1 if filled.size else 0)
    return Box(tuple(start), tuple(stop))  # type: ignore[arg-type]


def slabs(shape: tuple[int, ...], voxels: int) -> Iterator[slice]:
    """Cut the first axis of an array into slabs of at most about so many voxels.

    What is computed slab by slab stays in the processor's cache; nothing else changes.
    """
    thickness = max(1, voxels // max(math.prod(shape[1:]), 1))
    for start in range(0, shape[0], thickness):
        yield slice(start, min(start + thickness, shape[0]))
