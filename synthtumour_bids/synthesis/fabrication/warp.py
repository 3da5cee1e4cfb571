"""Where a lesion lands and how it is bent on its way: affine and elastic transform in mm."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from ..geometry import Box, Triple, box_around, box_of
from ..noise import texture
from .lesions import AnnotatedLesion

CLIP = 2.5  # elastic displacements never exceed this many standard deviations


@dataclass(frozen=True)
class Warp:
    """One transform; every contrast and every class goes through the same.

    Attributes
    ----------
    place_mm
        Where the lesion's centre of mass lands, mm from the grid's first voxel.
    flip
        Mirrored along which axes.
    angles_deg
        Rotations about the three axes.
    scale
        Factors along the lesion's own axes.
    shear
        Shares of y in x, z in x and z in y.
    elastic_mm, elastic_scale_mm, elastic_seed
        Standard deviation, feature size and seed of the elastic displacement.
    """

    place_mm: Triple
    flip: tuple[bool, bool, bool]
    angles_deg: Triple
    scale: Triple
    shear: Triple
    elastic_mm: float
    elastic_scale_mm: float
    elastic_seed: int

    def matrix(self) -> NDArray[np.float64]:
        """Linear part, from the lesion's mm to the host's, (3, 3); its determinant is ± scale³."""
        xy, xz, yz = self.shear
        shear = np.array([[1, xy, xz], [0, 1, yz], [0, 0, 1]])
        mirror = np.where(self.flip, -1.0, 1.0)
        rotation = Rotation.from_euler("XYZ", self.angles_deg, degrees=True).as_matrix()
        return np.asarray(rotation @ shear @ np.diag(np.array(self.scale) * mirror))


def landing(
    warp: Warp, lesion: AnnotatedLesion, points_mm: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """Where points of the lesion land, elastic displacement left aside.

    Parameters
    ----------
    warp, lesion
        The transform, and what it moves.
    points_mm
        (n, 3), mm from the grid's first voxel.

    Returns
    -------
    ndarray of float64
        (n, 3), mm from the grid's first voxel.
    """
    return (points_mm - lesion.centre_mm) @ warp.matrix().T + warp.place_mm


def landing_box(
    warp: Warp, lesion: AnnotatedLesion, reach_mm: float, shape: tuple[int, ...]
) -> Box:
    """Box of the grid that holds the landed lesion and its surroundings.

    Parameters
    ----------
    warp, lesion
        The transform, and what it moves.
    reach_mm
        Width of the surroundings.
    shape
        Voxels of the grid along each axis.
    """
    tight = box_of(lesion.classes > 0)
    ends = np.array([tight.start, tight.stop]) - [[0.5], [0.5]] + np.array(lesion.start)
    corners = np.array(
        [[ends[n][axis] for axis, n in enumerate(c)] for c in product((0, 1), repeat=3)]
    )
    landed = landing(warp, lesion, corners * lesion.spacing)
    reach = reach_mm + CLIP * warp.elastic_mm
    return box_around(landed.min(axis=0) - reach, landed.max(axis=0) + reach, lesion.spacing, shape)


def origins(warp: Warp, lesion: AnnotatedLesion, box: Box) -> NDArray[np.float32]:
    """Where in the cut-out each voxel of a box comes from.

    Parameters
    ----------
    warp, lesion
        The transform, and what it moves.
    box
        Of the grid.

    Returns
    -------
    ndarray of float32
        Voxel coordinates in the cut-out, (3, X, Y, Z) over the box.
    """
    axes = box.axes_mm(lesion.spacing)
    grid = np.stack(np.meshgrid(*axes, indexing="ij")).astype(np.float32)
    if warp.elastic_mm > 0:
        for axis in range(3):
            field = texture(axes, warp.elastic_seed + axis, warp.elastic_scale_mm)
            grid[axis] += np.float32(warp.elastic_mm) * np.clip(field, -CLIP, CLIP)
    back = np.linalg.inv(warp.matrix())
    spacing = np.array(lesion.spacing)
    offset = np.array(lesion.centre_mm) - back @ np.array(warp.place_mm)
    to_voxel = (back / spacing[:, None]).astype(np.float32)
    first = (offset / spacing - lesion.start).astype(np.float32)
    return np.asarray(np.tensordot(to_voxel, grid, axes=1) + first[:, None, None, None])


def warped_classes(lesion: AnnotatedLesion, points: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Classes at some points: tumour where its interpolated share is half, then the largest.

    Parameters
    ----------
    lesion
        The cut-out.
    points
        Voxel coordinates in it, (3, …).

    Returns
    -------
    ndarray of uint8
        (…).
    """
    kinds = np.unique(lesion.classes[lesion.classes > 0])
    shares = np.stack(
        [_interpolated(lesion.classes == kind, points, 1, "constant") for kind in kinds]
    )
    inside = shares.sum(axis=0) >= 0.5
    return np.where(inside, kinds[shares.argmax(axis=0)], 0).astype(np.uint8)


def warped_known(lesion: AnnotatedLesion, points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Share of known voxels at some points; nothing is known beyond the cut-out.

    Parameters
    ----------
    lesion
        The cut-out.
    points
        Voxel coordinates in it, (3, …).

    Returns
    -------
    ndarray of float32
        (…), in [0, 1].
    """
    return np.clip(_interpolated(lesion.known, points, 1, "constant"), 0, 1)


def warped_images(lesion: AnnotatedLesion, points: NDArray[np.float32]) -> NDArray[np.float32]:
    """All contrasts at some points.

    Cubic splines: linear interpolation would smooth the lesion's noise away, and a network would
    learn to find tumours by their missing noise.

    Parameters
    ----------
    lesion
        The cut-out.
    points
        Voxel coordinates in it, (3, n).

    Returns
    -------
    ndarray of float32
        (C, n).
    """
    return np.stack([_interpolated(image, points, 3, "nearest") for image in lesion.images])


def _interpolated(
    array: NDArray[Any], points: NDArray[np.float32], order: int, mode: str
) -> NDArray[np.float32]:
    values = ndimage.map_coordinates(array.astype(np.float32), points, order=order, mode=mode)
    return np.asarray(values, dtype=np.float32)
