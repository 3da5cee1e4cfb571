"""Gaussian filters that read and write no more than the box they are asked for.

Each axis is one product with a banded sparse matrix: exact, several times faster than filtering
and cropping afterwards, and the same to the last bit whatever the number of threads.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .geometry import Box, Mask, MaskLike, Numbers, Spacing, slabs, triple

TRUNCATE = 4.0  # standard deviations; the published procedure's
SHORT = 3.0  # the same where nothing published is to be matched
_SLAB = 1 << 16  # voxels that are filtered at a time


def in_voxels(sigma_mm: float, spacing: Spacing) -> tuple[float, float, float]:
    """Turn a length into voxels along each axis.

    Parameters
    ----------
    sigma_mm
        The length, mm.
    spacing
        Voxel size, mm.
    """
    return triple(sigma_mm / s for s in spacing)


def gaussian(
    array: MaskLike,
    source: Box,
    target: Box,
    sigma_voxels: tuple[float, float, float],
    truncate: float = TRUNCATE,
) -> NDArray[np.float32]:
    """Blur an array that covers `source`; return the part that covers `target`.

    What lies outside `source` counts as zero, so `source` should reach :func:`margin` voxels
    beyond `target`, or to the end of the image.

    Parameters
    ----------
    array
        Values over `source`, (X, Y, Z).
    source, target
        Where the values are known, and where they are wanted.
    sigma_voxels
        Standard deviation along each axis, in voxels; 0 leaves the axis as it is.
    truncate
        Where the Gaussian ends, in standard deviations.

    Returns
    -------
    ndarray of float32
        Blurred values over `target`.
    """
    bands = [
        _band(known, wanted, sigma, truncate)
        for known, wanted, sigma in zip(_ranges(source), _ranges(target), sigma_voxels, strict=True)
    ]
    return separable(bands, array)


def margin(
    sigma_voxels: tuple[float, float, float], truncate: float = TRUNCATE
) -> tuple[int, int, int]:
    """Voxels beyond a box that :func:`gaussian` needs to see.

    Parameters
    ----------
    sigma_voxels
        Standard deviation along each axis, in voxels.
    truncate
        Where the Gaussian ends, in standard deviations.
    """
    return triple(int(np.ceil(truncate * s)) for s in sigma_voxels)


def brain_blur(
    image: Numbers, brain: Mask, target: Box, sigma_mm: float, spacing: Spacing
) -> NDArray[np.float32]:
    """Local mean over brain voxels only, over `target`.

    Dividing by the blurred mask keeps the surface of the brain from being darkened by the zeros
    around it (the published procedure loses a quarter of the brightness there). Where no brain is
    in reach the result is 0. So smooth a field is computed of and at every second or third voxel
    (2/5 of sigma) and interpolated.

    Parameters
    ----------
    image, brain
        Whole scan and brain mask, (X, Y, Z).
    target
        Where the mean is wanted.
    sigma_mm
        Standard deviation of the Gaussian, mm.
    spacing
        Voxel size, mm.

    Returns
    -------
    ndarray of float32
        Over `target`.
    """
    sigma = in_voxels(sigma_mm, spacing)
    steps = [max(1, int(s * 0.4 + 1e-6)) for s in sigma]
    thin, bands = [], []
    for start, stop, size, step, s in zip(
        target.start, target.stop, image.shape, steps, sigma, strict=True
    ):
        width = s / step
        reach = int(np.ceil(SHORT * width))  # dividing by the weights makes up for the tails
        n = -(-(stop - start) // step)
        before, after = min(reach, start // step), min(reach, (size - 1 - start) // step - n + 1)
        thin.append(slice(start - before * step, start + (n + after) * step, step))
        bands.append(_band((-before, n + after), (0, n), width, SHORT))
    inside = brain[tuple(thin)].astype(np.float32)
    weights = separable(bands, inside)
    values = separable(bands, image[tuple(thin)] * inside)
    mean = np.divide(values, weights, out=np.zeros_like(values), where=weights > 1e-4)
    return separable([_between(n, step) for n, step in zip(target.shape, steps, strict=True)], mean)


def _ranges(box: Box) -> list[tuple[int, int]]:
    return list(zip(box.start, box.stop, strict=True))


def separable(matrices: list[sparse.csr_matrix], array: MaskLike) -> NDArray[np.float32]:
    """Apply one matrix along each axis of an array.

    The second and third axis are done some planes at a time, which stay in the processor's cache.

    Parameters
    ----------
    matrices
        One per axis, (rows, voxels along the axis).
    array
        (X, Y, Z).

    Returns
    -------
    ndarray of float32
        (rows of the first matrix, of the second, of the third).
    """
    first, second, third = matrices
    values = np.ascontiguousarray(array, dtype=np.float32)
    values = (first @ values.reshape(len(values), -1)).reshape(-1, *values.shape[1:])
    n, j, k = values.shape
    rows, columns = second.shape[0], third.shape[0]
    out = np.empty((n, rows, columns), dtype=np.float32)
    for planes in slabs(values.shape, _SLAB):
        slab = np.ascontiguousarray(values[planes].transpose(1, 0, 2))
        slab = (second @ slab.reshape(j, -1)).reshape(rows, -1, k)
        slab = third @ np.ascontiguousarray(slab.transpose(2, 1, 0)).reshape(k, -1)
        out[planes] = slab.reshape(columns, -1, rows).transpose(1, 2, 0)
    return out


def _between(n: int, step: int) -> sparse.csr_matrix:
    """Linear interpolation from every `step`-th of `n` positions to all of them."""
    coarse = (n + step - 1) // step
    position = np.minimum(np.arange(n) / step, coarse - 1)
    below = np.minimum(position.astype(int), max(coarse - 2, 0))
    share = (position - below).astype(np.float32)
    above = np.minimum(below + 1, coarse - 1)
    rows = np.tile(np.arange(n), 2)
    entries = (np.concatenate([1 - share, share]), (rows, np.concatenate([below, above])))
    return sparse.csr_matrix(entries, shape=(n, coarse))


def _band(
    source: tuple[int, int], target: tuple[int, int], sigma: float, truncate: float = TRUNCATE
) -> sparse.csr_matrix:
    """Gaussian weights from indices `source` to indices `target`, (targets, sources)."""
    reach = int(np.ceil(truncate * sigma))
    steps = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (steps / sigma) ** 2) if sigma > 0 else np.ones(1)
    shape = (target[1] - target[0], source[1] - source[0])
    diagonals = steps + target[0] - source[0]
    seen = (diagonals > -shape[0]) & (diagonals < shape[1])
    values = (weights / weights.sum()).astype(np.float32)
    return sparse.diags(
        values[seen].tolist(), diagonals[seen].tolist(), shape=shape, format="csr", dtype=np.float32
    )
