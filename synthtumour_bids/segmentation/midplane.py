"""The plane that mirrors a brain into itself best, near the middle of the template grid."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

# The search: an affine registration leaves some millimetres and degrees, not more.
OFFSETS_MM = (0.0, 2.0, -2.0, 4.0, -4.0, 6.0, -6.0)
TILTS_DEG = (0.0, 3.0, -3.0, 6.0, -6.0)
FINE_OFFSETS_MM = (0.0, 1.0, -1.0)
FINE_TILTS_DEG = (0.0, 1.5, -1.5)
LATTICE_MM = 8.0  # between the places that are compared: some thousands in a brain
LEAST_GAIN = 1e-3  # of correlation; below, the straight plane stays


@dataclass(frozen=True)
class Midplane:
    """A plane between the two halves of a brain, in the world of the template (RAS, mm).

    Attributes
    ----------
    offset_mm
        Distance from the origin along the plane's normal; towards the right above 0.
    tilt_y_deg, tilt_z_deg
        Rotations of the normal from the x axis: about the y axis, then about the z axis.
    """

    offset_mm: float = 0.0
    tilt_y_deg: float = 0.0
    tilt_z_deg: float = 0.0

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector across the plane, (3,)."""
        y, z = np.deg2rad([self.tilt_y_deg, self.tilt_z_deg])
        return np.array([np.cos(y) * np.cos(z), np.cos(y) * np.sin(z), -np.sin(y)])

    def reflection(self, affine: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map that takes a voxel's index to the index of the place that mirrors it.

        Parameters
        ----------
        affine
            Of the grid, (4, 4): voxel index to world, mm. The grid need not be centred.

        Returns
        -------
        ndarray
            (4, 4); places may lie between voxels, or outside the grid.
        """
        world = np.eye(4)
        world[:3, :3] -= 2 * np.outer(self.normal, self.normal)
        world[:3, 3] = 2 * self.offset_mm * self.normal
        found: NDArray[np.float64] = np.linalg.inv(affine) @ world @ affine
        return found


def find_midplane(
    image: NDArray[np.floating], brain: NDArray[np.bool_], affine: NDArray[np.floating]
) -> Midplane:
    """Plane for which a brain correlates best with its mirror image.

    Offsets of up to 7 mm and tilts of up to 7.5 degrees about the y and z axes are tried, first
    on a coarse grid of these, then around the best. A rotation about the x axis, and shifts
    within the plane, mirror the brain alike.

    Parameters
    ----------
    image
        Smooth image, (X, Y, Z), finite, 0 outside the brain and above 0 inside, so that the
        brain's outline counts, too.
    brain
        Brain mask on the same grid.
    affine
        Of the grid, (4, 4), voxel index to world (RAS), mm.

    Returns
    -------
    Midplane
        The straight one, x = 0, where none is better.
    """
    straight = Midplane()
    places = _lattice(brain, affine)
    if places.shape[1] < 2:
        return straight
    search = _Search(image.astype(np.float32, copy=False), places, affine)
    coarse = [Midplane(*one) for one in itertools.product(OFFSETS_MM, TILTS_DEG, TILTS_DEG)]
    best = search.best(sorted(coarse, key=_size))
    steps = itertools.product(FINE_OFFSETS_MM, FINE_TILTS_DEG, FINE_TILTS_DEG)
    best = search.best([_moved(best, step) for step in steps])
    gain = search.correlation(best) - search.correlation(straight)
    return best if gain > LEAST_GAIN else straight


@dataclass(frozen=True, eq=False)
class _Search:
    image: NDArray[np.float32]
    places: NDArray[np.float64]  # voxel indices, homogeneous, (4, N)
    affine: NDArray[np.floating]

    def best(self, planes: Sequence[Midplane]) -> Midplane:
        """Plane of the highest correlation; the first of those that are alike."""
        found = np.array([self.correlation(plane) for plane in planes])
        return planes[int(np.argmax(np.round(found, 9)))]

    def correlation(self, plane: Midplane) -> float:
        """Of what lies at the places with what mirrors it, in [-1, 1]; 0 where all is alike."""
        values, mirrored = self._own, self._at(plane.reflection(self.affine) @ self.places)
        mirrored -= mirrored.mean()
        scale = float(np.sqrt((values @ values) * (mirrored @ mirrored)))
        return float(values @ mirrored) / scale if scale > 0 else 0.0

    @cached_property
    def _own(self) -> NDArray[np.float64]:
        """What lies at the places, (N,), without its mean."""
        values = self._at(self.places)
        values -= values.mean()
        return values

    def _at(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        found = ndimage.map_coordinates(self.image, places[:3], order=1, mode="constant")
        values: NDArray[np.float64] = found.astype(np.float64)
        return values


def _size(plane: Midplane) -> float:
    return abs(plane.offset_mm) + abs(plane.tilt_y_deg) + abs(plane.tilt_z_deg)


def _moved(plane: Midplane, step: tuple[float, float, float]) -> Midplane:
    offset, tilt_y, tilt_z = step
    return Midplane(plane.offset_mm + offset, plane.tilt_y_deg + tilt_y, plane.tilt_z_deg + tilt_z)


def _lattice(brain: NDArray[np.bool_], affine: NDArray[np.floating]) -> NDArray[np.float64]:
    """Voxel indices of places in the brain, on a lattice that is symmetric in x; (4, N)."""
    ends = np.array(list(itertools.product(*((0, n - 1) for n in brain.shape))), dtype=float)
    world = ends @ np.asarray(affine)[:3, :3].T + np.asarray(affine)[:3, 3]
    low, high = world.min(axis=0), world.max(axis=0)
    reach = float(np.abs(world[:, 0]).max())
    right = np.arange(LATTICE_MM / 2, reach + LATTICE_MM, LATTICE_MM)
    axes = (
        np.concatenate([-right[::-1], right]),
        np.arange(low[1], high[1] + LATTICE_MM, LATTICE_MM),
        np.arange(low[2], high[2] + LATTICE_MM, LATTICE_MM),
    )
    points = np.stack([one.ravel() for one in np.meshgrid(*axes, indexing="ij")])
    homogeneous = np.vstack([points, np.ones(points.shape[1])])
    places: NDArray[np.float64] = np.linalg.inv(affine) @ homogeneous
    inside = ndimage.map_coordinates(brain.astype(np.float32), places[:3], order=1) >= 0.5
    return places[:, inside]
