"""Grids and coordinates: voxel sizes, boxes, isotropic grids, resampling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from synthtumour_bids.preprocessing.distances import distance_to


def voxel_sizes(affine: np.ndarray) -> np.ndarray:
    """Edge lengths of a voxel in mm, shape (3,)."""
    values: np.ndarray = np.linalg.norm(np.asarray(affine)[:3, :3], axis=0)
    return values


def bounding_box(mask: np.ndarray, margin: int = 0) -> tuple[slice, slice, slice]:
    """Slices of the box around a mask's true voxels, widened by ``margin`` voxels."""
    slices = []
    for axis in range(3):
        hits = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        first, last = (int(hits[0]), int(hits[-1])) if hits.size else (0, mask.shape[axis] - 1)
        slices.append(slice(max(first - margin, 0), min(last + margin + 1, mask.shape[axis])))
    return slices[0], slices[1], slices[2]


def box_of_points(
    places: np.ndarray, shape: Sequence[int], margin: int = 0
) -> tuple[slice, slice, slice]:
    """Slices of the part of a grid that holds places (N, 3), in voxels; empty beyond the grid."""
    first = np.clip(np.floor(places.min(axis=0)).astype(int) - margin, 0, shape)
    last = np.clip(np.ceil(places.max(axis=0)).astype(int) + margin + 1, 0, shape)
    x, y, z = (slice(int(start), int(stop)) for start, stop in zip(first, last, strict=True))
    return x, y, z


def corners(box: tuple[slice, slice, slice]) -> np.ndarray:
    """Return the outermost voxels of a box, (8, 3)."""
    ends = ((part.start, part.stop - 1) for part in box)
    places: np.ndarray = np.array(np.meshgrid(*ends), dtype=float).reshape(3, -1).T
    return places


def near(mask: np.ndarray, spacing: Sequence[float] | np.ndarray, reach: float) -> np.ndarray:
    """Widen a mask by a distance.

    Parameters
    ----------
    mask
        bool (X, Y, Z); an empty one stays empty.
    spacing
        Voxel sizes in mm.
    reach
        mm.

    Returns
    -------
    numpy.ndarray
        Voxels whose centres lie within ``reach`` of a voxel of the mask, itself included; bool.
    """
    widened = np.array(mask)
    if mask.any():  # distances take much memory: only where they count
        box = bounding_box(mask, margin=int(np.ceil(reach / np.min(spacing))))
        widened[box] = distance_to(mask[box], np.asarray(spacing)) <= reach
    return widened


def cropped_affine(affine: np.ndarray, box: tuple[slice, slice, slice]) -> np.ndarray:
    """Voxel to RAS mm of an array that was cut to ``box``."""
    moved = np.array(affine, dtype=float)
    moved[:3, 3] += moved[:3, :3] @ np.array([s.start for s in box], dtype=float)
    return moved


def isotropic_grid(
    shape: Sequence[int], affine: np.ndarray, spacing: float
) -> tuple[tuple[int, int, int], np.ndarray]:
    """Grid with cubic voxels that covers the same field of view with the same axes.

    Returns
    -------
    shape, affine
        Voxels along each axis, and voxel to RAS millimetres.
    """
    sizes = voxel_sizes(affine)
    new_shape = tuple(
        max(1, int(np.ceil(n * s / spacing - 1e-3))) for n, s in zip(shape, sizes, strict=True)
    )
    new_affine = np.eye(4)
    new_affine[:3, :3] = affine[:3, :3] / sizes * spacing
    # The outer corner stays where it is; the first voxel's centre moves with the voxel size.
    corner = np.asarray(affine) @ np.array([-0.5, -0.5, -0.5, 1.0])
    new_affine[:3, 3] = corner[:3] + new_affine[:3, :3] @ np.array([0.5, 0.5, 0.5])
    return (new_shape[0], new_shape[1], new_shape[2]), new_affine


def averaged(values: np.ndarray, affine: np.ndarray, target_affine: np.ndarray) -> np.ndarray:
    """Average over about the volume of a target voxel, so that fine detail is not aliased.

    Parameters
    ----------
    values, affine
        Array (X, Y, Z), float32, and its voxel to RAS millimetres.
    target_affine
        Of the grid that it is going to be sampled on; where its voxels are no larger, nothing
        changes.
    """
    ratio = voxel_sizes(target_affine) @ np.abs(
        (target_affine[:3, :3] / voxel_sizes(target_affine)).T
        @ (affine[:3, :3] / voxel_sizes(affine))
    )
    ratio = ratio / voxel_sizes(affine)
    if not (ratio > 1.5).any():
        return values
    sigma = np.where(ratio > 1.5, np.sqrt(np.maximum(ratio**2 - 1, 0) / 12), 0.0)
    smooth: np.ndarray = ndimage.gaussian_filter(values, sigma)
    return smooth


def resample(
    data: np.ndarray,
    affine: np.ndarray,
    shape: Sequence[int],
    target_affine: np.ndarray,
    *,
    order: int = 1,
    outside: float | None = 0.0,
    to_faces: bool = False,
) -> np.ndarray:
    """Resample an array onto another grid of the same world, averaging where it gets coarser.

    Parameters
    ----------
    data, affine
        Array (X, Y, Z) and its voxel to RAS millimetres.
    shape, target_affine
        The grid to sample on.
    order
        Spline order, 0 to 3.
    outside
        Value beyond the field of view; ``None`` repeats the outermost voxels.
    to_faces
        Whether the field of view ends at the faces of the outermost voxels, as of a mask whose
        volume is to stay, and not at their centres.

    Returns
    -------
    numpy.ndarray
        float32, shape ``shape``.
    """
    values = np.asarray(data, dtype=np.float32)
    if order > 0:
        values = averaged(values, affine, target_affine)
    # Rounded: a voxel of the border must not be outside by 1e-16.
    to_source = np.round(np.linalg.inv(affine) @ target_affine, 9)
    ends = "grid-constant" if to_faces else "constant"
    result: np.ndarray = ndimage.affine_transform(
        values,
        to_source[:3, :3],
        to_source[:3, 3],
        output_shape=tuple(shape),
        order=order,
        mode=ends if outside is not None else "nearest",
        cval=outside or 0.0,
    )
    return result
