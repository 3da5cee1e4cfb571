"""Slices of volumes: which ones to show, where they lie, and in which grey levels.

Volumes are in RAS order (`upright` first), so that pictures follow the neurological convention:
the subject's left is on the left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.volumes import Volume

CONVENTION = "Neurological convention: left in the picture is the subject's left (L)."
ENOUGH_VOXELS = 500_000  # to tell grey levels from


@dataclass(frozen=True)
class Plane:
    """A direction to slice in: the array's axis across it, its name, what its sides are."""

    axis: int
    name: str
    left: str
    right: str

    @property
    def coordinate(self) -> str:
        """The letter of the world's axis across the plane."""
        return "xyz"[self.axis]


PLANES = (
    Plane(2, "axial", "L", "R"),
    Plane(1, "coronal", "L", "R"),
    Plane(0, "sagittal", "P", "A"),
)
AXIAL = PLANES[0]


def upright(volume: Volume) -> Volume:
    """Turn a volume to the axis order that is nearest to RAS."""
    image = nib.as_closest_canonical(volume.with_data(volume.data))
    x, y, z = (float(size) for size in nib.affines.voxel_sizes(image.affine))
    return Volume(np.asanyarray(image.dataobj), image.affine, (x, y, z))


def box_around(
    mask: NDArray[np.bool_], spacing: Sequence[float], margin: float
) -> tuple[slice, ...]:
    """Box around a mask (X, Y, Z) with a margin in mm; the whole grid where the mask is empty."""
    if not mask.any():
        return tuple(slice(0, size) for size in mask.shape)
    box = []
    for axis, size in enumerate(mask.shape):
        filled = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        more = int(np.ceil(margin / spacing[axis]))
        box.append(slice(max(int(filled[0]) - more, 0), min(int(filled[-1]) + more + 1, size)))
    return tuple(box)


def cropped(volume: Volume, box: Sequence[slice]) -> Volume:
    """Part of a volume, at its place in the world."""
    affine = volume.affine.copy()
    affine[:3, 3] = nib.affines.apply_affine(affine, [part.start for part in box])
    part = volume.data[tuple(box)].copy(order="K")  # a view would keep the whole
    return replace(volume, data=part, affine=affine)


def position(volume: Volume, plane: Plane, index: int) -> float:
    """World coordinate (mm) of a slice's middle, along the axis across it."""
    voxel = [(size - 1) / 2 for size in volume.data.shape]
    voxel[plane.axis] = index
    return float(nib.affines.apply_affine(volume.affine, voxel)[plane.axis])


def at(volume: Volume, plane: Plane, index: int) -> str:
    """Say which slice it is: ``z = 12 mm``."""
    return f"{plane.coordinate} = {position(volume, plane, index):.0f} mm"


def section(volume: Volume, plane: Plane, index: int) -> NDArray[np.float32]:
    """One slice as it is drawn: rows from the bottom, columns from the left; a view.

    Unlike ``np.take``, which copies a whole array that is stored as NIfTI files are.
    """
    values: NDArray[np.float32] = np.moveaxis(volume.data, plane.axis, 0)[index].T
    return values


def largest_section(mask: NDArray[np.bool_], plane: Plane) -> int:
    """Index of the slice with most of a mask (X, Y, Z)."""
    return int(np.argmax(mask.sum(axis=tuple(a for a in range(3) if a != plane.axis))))


def spread(mask: NDArray[np.bool_], plane: Plane, count: int) -> list[int]:
    """Indices of slices spread over a mask's extent, ends left out; thin masks repeat none."""
    filled = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != plane.axis)))
    low, high = (filled[0], filled[-1]) if filled.size else (0, mask.shape[plane.axis] - 1)
    steps = np.linspace(low, high, count + 2)[1:-1]
    return sorted({round(float(step)) for step in steps})


def window(volume: Volume) -> tuple[float, float]:
    """Grey levels to show: scalp fat may saturate, brain and tumour should not."""
    step = max(1, round((volume.data.size / ENOUGH_VOXELS) ** (1 / 3)))
    thinned = volume.data[::step, ::step, ::step]
    values = thinned[np.isfinite(thinned) & (thinned > 0)]
    if values.size == 0:
        return 0.0, 1.0
    # Noise around the head is positive, too: the upper half of the values is tissue.
    return 0.0, float(np.percentile(values[values >= np.median(values)], 99)) * 1.1


def extent(volume: Volume, plane: Plane) -> tuple[float, float]:
    """Width and height of a slice, mm."""
    first, second = (axis for axis in range(3) if axis != plane.axis)
    shape, spacing = volume.data.shape, volume.spacing
    return shape[first] * spacing[first], shape[second] * spacing[second]
