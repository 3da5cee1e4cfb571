"""How tissue, next to incompressible, moves when a part of it grows; on blocks of voxels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.filters import separable
from synthtumour_bids.synthesis.geometry import Box, Mask, MaskLike, box_of

LEAST_JACOBIAN = 0.25  # of the map from the moved brain to the former one
PRECISION = 0.01  # of the potential
MOST_STEPS = 80
HELD = 0.7  # interpolated share of brain below which dura holds tissue
LEAST_MM = 0.2  # displacements that are not worth a look


def coarsened(values: MaskLike, steps: list[int]) -> NDArray[np.float32]:
    """Means over blocks of voxels; what is cut off at the end of an axis counts as 0.

    Parameters
    ----------
    values
        (X, Y, Z).
    steps
        Voxels of a block along each axis.
    """
    padding = [(0, -n % step) for n, step in zip(values.shape, steps, strict=True)]
    blocks = np.pad(values, padding).astype(np.float32)
    for axis, step in enumerate(steps):
        last = np.moveaxis(blocks, axis, 0)
        total = sum((last[start::step] for start in range(1, step)), start=last[::step])
        blocks = np.moveaxis(total, 0, axis)
    return blocks / np.float32(np.prod(steps))


def flow(
    source: NDArray[np.float32], inside: Mask, size: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Displacement whose divergence is minus the source, none of it through the skull, (3, ...).

    It is the gradient of a potential, which conjugate gradients find.

    Parameters
    ----------
    source
        Growth, negative where volume is lost, (X, Y, Z); the sum is 0.
    inside
        What can move, (X, Y, Z).
    size
        Voxel size, (3,), mm.

    Returns
    -------
    ndarray of float32
        (3, X, Y, Z), mm: where tissue comes from, seen from where it arrives.
    """
    ahead = [slice(1, None), slice(None, -1)]
    at = [[(slice(None),) * axis + (part,) for part in ahead] for axis in range(3)]
    open_faces = [
        (inside[after] & inside[before]) / np.float32(h**2)
        for (after, before), h in zip(at, size, strict=True)
    ]

    def laplacian(potential: NDArray[np.float32]) -> NDArray[np.float32]:
        out = np.zeros_like(potential)
        for (after, before), face in zip(at, open_faces, strict=True):
            flux = (potential[after] - potential[before]) * face
            out[after] += flux
            out[before] -= flux
        return out

    potential = np.zeros_like(source)
    rest = source.copy()
    direction, square = rest, float(np.sum(rest * rest))
    enough = PRECISION**2 * square
    for _ in range(MOST_STEPS):
        if square <= enough:
            break
        bent = laplacian(direction)
        curvature = float(np.sum(direction * bent))
        if curvature <= 0:  # what is left grows where nothing can leave it
            break
        step = np.float32(square / curvature)
        potential += step * direction
        rest = rest - step * bent
        former, square = square, float(np.sum(rest * rest))
        direction = rest + np.float32(square / former) * direction
    field = np.zeros((3, *source.shape), np.float32)
    for part, (after, before), face, h in zip(field, at, open_faces, size, strict=True):
        slope = (potential[after] - potential[before]) * face * np.float32(h / 2)
        part[after] += slope
        part[before] += slope
    return field


def bearable(field: NDArray[np.float32], size: NDArray[np.floating]) -> float:
    """Largest share of a displacement, at most 1, that leaves the map invertible.

    Parameters
    ----------
    field
        (3, X, Y, Z), mm.
    size
        Voxel size, (3,), mm.
    """
    share = 1.0
    while smallest_jacobian(share * field, size) < LEAST_JACOBIAN:
        share *= 0.9
    return share


def smallest_jacobian(field: NDArray[np.floating], size: NDArray[np.floating]) -> float:
    """Smallest determinant of the Jacobian of ``x + field(x)``.

    Parameters
    ----------
    field
        (3, X, Y, Z), mm.
    size
        Voxel size, (3,), mm.
    """
    rows = [list(np.gradient(part, *size)) for part in field]
    for axis in range(3):
        rows[axis][axis] = rows[axis][axis] + 1
    (a, b, c), (d, e, f), (g, h, i) = rows
    return float((a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)).min())


def interpolated(
    field: NDArray[np.float32], filled: NDArray[np.float32], host: Brain, steps: list[int]
) -> tuple[tuple[NDArray[np.intp], ...], NDArray[np.float32]]:
    """Interpolate a coarse displacement at the brain's voxels.

    Parameters
    ----------
    field
        (3, ...), mm, over blocks of voxels.
    filled
        Share of brain in each block: at the skull, where it falls to about a half, nothing moves.
    host
        The brain.
    steps
        Voxels of a block along each axis.

    Returns
    -------
    voxels, offset
        Indices of the voxels that move, one array an axis, and float32 (3, n), mm.
    """
    shape = host.mask.shape
    rough = box_of(np.abs(field).max(0) > LEAST_MM / 2)
    box = Box.of(
        (step * (start - 1) for start, step in zip(rough.start, steps, strict=True)),
        (step * (stop + 1) for stop, step in zip(rough.stop, steps, strict=True)),
    ).common(Box.of((0, 0, 0), shape))
    weights = [
        _between(start, stop, step, coarse)
        for start, stop, step, coarse in zip(
            box.start, box.stop, steps, field.shape[1:], strict=True
        )
    ]
    held = np.clip((separable(weights, filled) - HELD) / (1 - HELD), 0, 1)
    dense = [separable(weights, part) * held for part in field]
    far = dense[0] ** 2 + dense[1] ** 2 + dense[2] ** 2 > LEAST_MM**2
    inner = np.nonzero(far & host.mask[box.slices])
    voxels = tuple(index + start for index, start in zip(inner, box.start, strict=True))
    return voxels, np.stack([part[inner] for part in dense])


def _between(start: int, stop: int, step: int, coarse: int) -> sparse.csr_matrix:
    """Linear interpolation from the middles of blocks of `step` voxels to a range of voxels."""
    n = stop - start
    position = np.clip((np.arange(start, stop) - (step - 1) / 2) / step, 0, coarse - 1)
    below = np.minimum(position.astype(int), max(coarse - 2, 0))
    share = (position - below).astype(np.float32)
    rows = np.tile(np.arange(n), 2)
    columns = np.concatenate([below, np.minimum(below + 1, coarse - 1)])
    entries = (np.concatenate([1 - share, share]), (rows, columns))
    return sparse.csr_matrix(entries, shape=(n, coarse))
