"""How far masks reach: the longest lines from border to border."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist, squareform

_STEPS = 4  # samples per voxel along a chord


def border_points(
    mask: NDArray[np.bool_], spacing: Sequence[float] | NDArray[np.floating]
) -> NDArray[np.float64]:
    """Centres of the faces of a mask's outer voxels.

    The surface that marching cubes would draw goes through them. Centres of voxels would make
    everything one voxel too short, corners one too long.

    Parameters
    ----------
    mask
        Of D dimensions, not empty.
    spacing
        Voxel size along its axes, mm.

    Returns
    -------
    ndarray
        (N, D), mm from the centre of the first voxel along the axes.
    """
    indices = np.argwhere(mask & ~ndimage.binary_erosion(mask)).astype(np.float64)
    steps = np.concatenate([np.eye(mask.ndim), -np.eye(mask.ndim)]) / 2
    places = (indices[:, None] + steps).reshape(-1, mask.ndim)
    points: NDArray[np.float64] = places * np.asarray(spacing, dtype=float)
    return points


def longest_line(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ends of the longest line between two of some points, (2, D); its ends are on their hull."""
    hull = points[ConvexHull(points).vertices]
    distances = squareform(pdist(hull))
    ends: NDArray[np.float64] = hull[list(np.unravel_index(distances.argmax(), distances.shape))]
    return ends


def length(line: NDArray[np.float64]) -> float:
    """Length of a line, (2, D)."""
    return float(np.linalg.norm(line[1] - line[0]))


def longest_chord(
    mask: NDArray[np.bool_], spacing: Sequence[float], direction: NDArray[np.float64]
) -> float:
    """Length of the longest line in one direction that stays inside a mask.

    Parameters
    ----------
    mask
        (X, Y).
    spacing
        Voxel size along X and Y, mm.
    direction
        Of the line in mm, (2,), of any length.

    Returns
    -------
    float
        mm, to a quarter of a voxel.
    """
    along = direction / np.linalg.norm(direction)
    across = np.array([-along[1], along[0]])
    size = np.asarray(spacing, dtype=float)
    points = border_points(mask, size)
    step = float(size.min()) / _STEPS
    u, v = (
        np.arange(float(reach.min()) - step, float(reach.max()) + 2 * step, step)
        for reach in (points @ across, points @ along)
    )
    places = across[:, None, None] * u[:, None] + along[:, None, None] * v
    values = ndimage.map_coordinates(
        mask.astype(np.float32), places / size[:, None, None], order=1, mode="grid-constant"
    )
    inside = np.pad((values >= 0.5).astype(np.int8), ((0, 0), (1, 1)))
    changes = np.diff(inside, axis=1)
    runs = np.argwhere(changes == -1)[:, 1] - np.argwhere(changes == 1)[:, 1]
    return float(runs.max(initial=0)) * step
