"""Noise fields that are fixed by a few numbers, so that parameters never have to hold arrays."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .filters import separable
from .geometry import Axes

_SKEW, _UNSKEW = 1 / 3, 1 / 6
_TABLE_SEED = 2562
_LATTICE = 24  # period of the texture lattice, in grid steps
_GRADIENTS = np.array(
    [
        [1, 1, 0], [-1, 1, 0], [1, -1, 0], [-1, -1, 0],
        [1, 0, 1], [-1, 0, 1], [1, 0, -1], [-1, 0, -1],
        [0, 1, 1], [0, -1, 1], [0, 1, -1], [0, -1, -1],
    ],
    dtype=np.float64,
).T.copy()  # fmt: skip


@lru_cache(maxsize=1)
def _permutation() -> NDArray[np.int64]:
    table = np.random.Generator(np.random.PCG64(_TABLE_SEED)).permutation(256)
    return np.concatenate([table, table, table[:2]])  # corners reach one beyond


def simplex(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Three-dimensional simplex noise: Perlin (2001), in the form of Gustavson (2005).

    Parameters
    ----------
    points
        Where to evaluate it, (n, 3).

    Returns
    -------
    ndarray
        Values in about [-1, 1], (n,); 0 at the lattice points, smooth, isotropic, features of
        about one unit.
    """
    hashes = _permutation()
    p, q, r = np.ascontiguousarray(points.T)
    skew = (p + q + r) * _SKEW
    i, j, k = (np.floor(c + skew) for c in (p, q, r))
    unskew = (i + j + k) * _UNSKEW
    x, y, z = p - i + unskew, q - j + unskew, r - k + unskew
    i, j, k = (c.astype(np.int64) & 255 for c in (i, j, k))

    # From one corner of its simplex to the next, a point's largest coordinate steps first.
    xy, xz, yz = x >= y, x >= z, y >= z
    first = (xy & xz, ~xy & yz, ~xz & ~yz)
    second = (xy | xz, ~xy | yz, ~xz | ~yz)
    none, every = (np.False_,) * 3, (np.True_,) * 3
    total = np.zeros(len(points))
    for step, (a, b, c) in enumerate((none, first, second, every)):
        u, v, w = (t - s + step * _UNSKEW for t, s in ((x, a), (y, b), (z, c)))
        pick = hashes[i + a + hashes[j + b + hashes[k + c]]] % 12
        reach = np.maximum(0.6 - u * u - v * v - w * w, 0.0) ** 2
        gx, gy, gz = _GRADIENTS[:, pick]
        total += reach * reach * (gx * u + gy * v + gz * w)
    return 32.0 * total


def octaves(points: NDArray[np.float64], n: int = 4) -> NDArray[np.float64]:
    """Sum of octaves of simplex noise (frequency x2, amplitude x1/2), scaled to about [-1, 1].

    Parameters
    ----------
    points
        Where to evaluate it, (n, 3).
    n
        How many octaves.

    Returns
    -------
    ndarray of float64
        (n,).
    """
    weights = 0.5 ** np.arange(n)
    total = sum(weight * simplex(points * 2.0**octave) for octave, weight in enumerate(weights))
    return np.asarray(total / weights.sum())


def texture(axes_mm: Axes, seed: int, scale_mm: float) -> NDArray[np.float32]:
    """Smooth random field over a box, the same at every resolution.

    White noise on a periodic lattice of steps `scale_mm`, interpolated by cubic B-splines.

    Parameters
    ----------
    axes_mm
        Voxel positions along each axis, in mm.
    seed
        Fixes the field.
    scale_mm
        Size of its features, in mm.

    Returns
    -------
    ndarray of float32
        Mean about 0, standard deviation about 1, (X, Y, Z).
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    field = rng.standard_normal((_LATTICE,) * 3).astype(np.float32)
    field = separable([_spline_weights(axis / scale_mm) for axis in axes_mm], field)
    # The squares of a cubic B-spline's weights sum to 0.479 per axis on average.
    return field * np.float32(0.479**-1.5)


def _spline_weights(position: NDArray[np.floating[Any]]) -> sparse.csr_matrix:
    """Interpolation from the lattice to `position` (in lattice steps), (n, lattice)."""
    base = np.floor(position).astype(np.int64)
    t = position - base
    values = np.stack(
        [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, 3 * (t + t**2 - t**3) + 1, t**3], axis=1
    )
    columns = (base[:, None] + np.arange(-1, 3)) % _LATTICE
    rows = np.repeat(np.arange(len(position)), 4)
    entries = ((values / 6).astype(np.float32).ravel(), (rows, columns.ravel()))
    return sparse.csr_matrix(entries, shape=(len(position), _LATTICE))
