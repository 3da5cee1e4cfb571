"""The tumour's surface: a geodesic polyhedron whose vertices simplex noise moves in and out.

The polyhedron stays star-shaped, so whether a voxel lies inside follows from its direction and
distance alone: no mesh is clipped, and the answer equals rasterising the mesh (methods: shape).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from .geometry import Box, Spacing, Triple, box_around, slabs
from .noise import octaves

_SUBDIVISIONS = 4  # of an icosahedron: 2562 vertices, 5120 triangles
_TABLE = 321  # directions along each side of the octahedral look-up table
_SLAB = 1 << 15  # voxels whose level is computed at a time


@dataclass(frozen=True)
class Surface:
    """One closed surface, fixed by a dozen numbers.

    Attributes
    ----------
    centre_mm
        Position of its centre of mass, in mm from the array's first voxel, along the array's axes.
    radii_mm
        Semi-axes of the ellipsoid before noise, in mm.
    angles_deg
        Rotations about the three axes, in degrees.
    offset
        Where the noise is read: at (vertex + offset) / `wavelength`.
    amplitude
        Displacement at noise 1, in units of the radius; below 1.1 keeps every radius positive.
    wavelength
        Size of the coarsest undulation, in units of the radius.
    """

    centre_mm: Triple
    radii_mm: Triple
    angles_deg: Triple
    offset: Triple
    amplitude: float = 1.0
    wavelength: float = 3.0

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Surface:
        """Rebuild from what ``dataclasses.asdict`` gave, possibly through a file."""
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
        }
        return cls(**values)


@lru_cache(maxsize=1)
def polyhedron() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Vertices (2562, 3) on the unit sphere and triangles (5120, 3) of the geodesic polyhedron."""
    golden = (1 + 5**0.5) / 2
    corners = [(0, a, b * golden) for a in (-1, 1) for b in (-1, 1)]
    vertices = np.array([np.roll(c, shift) for shift in range(3) for c in corners])
    edge = np.linalg.norm(vertices[:, None] - vertices[None], axis=2)
    near = np.abs(edge - 2) < 1e-6
    faces = np.array(
        [
            (i, j, k)
            for i in range(12)
            for j in range(i + 1, 12)
            for k in range(j + 1, 12)
            if near[i, j] and near[j, k] and near[i, k]
        ]
    )
    vertices = vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    for _ in range(_SUBDIVISIONS):
        sides = np.sort(faces[:, [[0, 1], [1, 2], [0, 2]]].reshape(-1, 2), axis=1)
        sides, which = np.unique(sides, axis=0, return_inverse=True)
        middle = vertices[sides].sum(axis=1)
        a, b, c = faces.T
        ab, bc, ac = which.reshape(-1, 3).T + len(vertices)
        vertices = np.vstack([vertices, middle / np.linalg.norm(middle, axis=1, keepdims=True)])
        faces = np.vstack(
            [np.stack(f, axis=1) for f in ((a, ab, ac), (ab, b, bc), (ac, bc, c), (ab, bc, ac))]
        )
    return vertices, faces


@lru_cache(maxsize=1)
def _directions() -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each direction of the look-up table: its triangle's vertices and their weights.

    A ray in direction d = a1 v1 + a2 v2 + a3 v3 meets the plane through r1 v1, r2 v2, r3 v3 at
    distance 1 / (a1/r1 + a2/r2 + a3/r3): inverse radii are interpolated by fixed weights.
    """
    side = np.linspace(-1, 1, _TABLE)
    u, v = (grid.ravel() for grid in np.meshgrid(side, side, indexing="ij"))
    depth = 1 - np.abs(u) - np.abs(v)
    fold = np.maximum(-depth, 0)
    direction = np.stack([u - np.copysign(fold, u), v - np.copysign(fold, v), depth], axis=1)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)

    vertices, faces = polyhedron()
    _, candidates = cKDTree(vertices[faces].mean(axis=1)).query(direction, k=4)
    best = np.full(len(direction), -np.inf)
    corners = np.zeros((len(direction), 3), dtype=np.int64)
    weights = np.zeros((len(direction), 3))
    inverse = np.linalg.inv(np.swapaxes(vertices[faces], 1, 2))
    for candidate in candidates.T:
        trial = np.einsum("nij,nj->ni", inverse[candidate], direction)
        better = trial.min(axis=1) > best
        best[better] = trial[better].min(axis=1)
        corners[better], weights[better] = faces[candidate[better]], trial[better]
    return corners, weights.astype(np.float32)


@lru_cache(maxsize=64)
def vertex_radii(surface: Surface) -> NDArray[np.float64]:
    """Distance of each displaced vertex from the origin, in units of the radius, (2562,)."""
    vertices, _ = polyhedron()
    where = (vertices + np.array(surface.offset)) / surface.wavelength
    radii = np.maximum(1.0 + surface.amplitude * octaves(where), 0.05)
    radii.flags.writeable = False  # shared by whoever asks for the same surface
    return radii


@lru_cache(maxsize=16)
def _inverse_radii(surface: Surface) -> NDArray[np.float32]:
    """One over the surface's distance from the origin, for each direction of the look-up table."""
    corners, weights = _directions()
    values = (1 / vertex_radii(surface)).astype(np.float32)
    inverse = np.einsum("ni,ni->n", weights, values[corners])
    inverse.flags.writeable = False  # shared by whoever asks for the same surface
    return np.asarray(inverse)


def _frame(surface: Surface) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotation (3, 3) and semi-axes (3,) that carry the unit body to mm."""
    rotation = Rotation.from_euler("XYZ", surface.angles_deg, degrees=True).as_matrix()
    return rotation, np.array(surface.radii_mm)


def level_box(
    surface: Surface, spacing: Spacing, shape: tuple[int, ...], level: float = 1.0
) -> Box:
    """Box of the voxels whose level may be below `level`.

    Parameters
    ----------
    surface
        The surface.
    spacing
        Voxel size along the array's axes, mm.
    shape
        The array's, at whose ends the box is cut.
    level
        1 for what lies inside the surface; see :func:`levels`.
    """
    vertices, _ = polyhedron()
    body = vertices * vertex_radii(surface)[:, None]
    rotation, radii = _frame(surface)
    reach = ((level * body - body.mean(axis=0)) * radii) @ rotation.T + surface.centre_mm
    return box_around(reach.min(axis=0), reach.max(axis=0), spacing, shape)


def levels(surface: Surface, box: Box, spacing: Spacing) -> NDArray[np.float32]:
    """A level-set function of the surface: 0 at its origin, below 1 inside, 1 on it, above outside.

    Parameters
    ----------
    surface
        The surface.
    box
        Where to evaluate it.
    spacing
        Voxel size along the array's axes, mm.

    Returns
    -------
    ndarray of float32
        (X, Y, Z) over the box.
    """
    vertices, _ = polyhedron()
    shift = (vertices * vertex_radii(surface)[:, None]).mean(axis=0)
    inverse_radii = _inverse_radii(surface)

    rotation, semi_axes = _frame(surface)
    to_unit = rotation.T / semi_axes[:, None]
    i, j, k = (a - c for a, c in zip(box.axes_mm(spacing), surface.centre_mm, strict=True))
    out = np.empty(box.shape, dtype=np.float32)
    for slab in slabs(out.shape, _SLAB):
        x, y, z = (
            (row[0] * i[slab] + offset).astype(np.float32)[:, None, None]
            + (row[1] * j).astype(np.float32)[:, None]
            + (row[2] * k).astype(np.float32)
            for row, offset in zip(to_unit, shift, strict=True)
        )
        out[slab] = np.sqrt(x * x + y * y + z * z) * inverse_radii.take(_table_index(x, y, z))
    return out


def _table_index(
    x: NDArray[np.float32], y: NDArray[np.float32], z: NDArray[np.float32]
) -> NDArray[np.int32]:
    """Where a direction is in the look-up table.

    The octahedral map unfolds the sphere on a square, without trigonometry.
    """
    total = np.abs(x) + np.abs(y) + np.abs(z)
    np.maximum(total, np.float32(1e-6), out=total)
    fold = np.maximum(-z, 0) / total
    u = x / total
    v = y / total
    u += np.copysign(fold, u)
    v += np.copysign(fold, v)
    half = np.float32((_TABLE - 1) / 2)
    column = (v * half + (half + np.float32(0.5))).astype(np.int32)
    row = (u * half + (half + np.float32(0.5))).astype(np.int32)
    return np.asarray(row * np.int32(_TABLE) + column)


def sphere_radius_mm(volume_ml: float) -> float:
    """Radius, in mm, of a ball of `volume_ml` mL."""
    return float((3000.0 * volume_ml / (4 * np.pi)) ** (1 / 3))
