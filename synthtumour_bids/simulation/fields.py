"""Smooth random fields: random cubic B-spline coefficients, evaluated axis by axis."""

from __future__ import annotations

import numpy as np


def _basis(n_voxels: int, spacing: float, scale: float) -> np.ndarray:
    """Uniform cubic B-spline basis on one axis, knots ``scale`` mm apart, (n_voxels, n_knots)."""
    position = np.arange(n_voxels) * spacing / scale
    n_knots = int(np.floor(position[-1])) + 4
    distance = np.abs(position[:, None] - (np.arange(n_knots)[None, :] - 1))
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, near, far).astype(np.float32)


def smooth_field(
    rng: np.random.Generator, shape: tuple[int, int, int], spacing: float, scale: float
) -> np.ndarray:
    """Draw a smooth random field of zero mean and unit variance.

    Parameters
    ----------
    rng
        Source of the coefficients.
    shape
        Voxels along the three axes.
    spacing
        Voxel size in mm, isotropic.
    scale
        Distance of the spline's knots in mm: structures are about this large.

    Returns
    -------
    float32 array of ``shape``.
    """
    bases = [_basis(n, spacing, scale) for n in shape]
    coefficients = rng.standard_normal([b.shape[1] for b in bases]).astype(np.float32)
    # Without BLAS, whose sums may depend on the number of threads.
    field = np.einsum("ia,abc->ibc", bases[0], coefficients)
    field = np.einsum("jb,ibc->ijc", bases[1], field)
    field = np.einsum("kc,ijc->ijk", bases[2], field)
    values: np.ndarray = (field - field.mean()) / max(float(field.std()), 1e-6)
    return values


def smooth_step(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Rise smoothly from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((values - low) / (high - low), 0, 1)
    result: np.ndarray = t * t * (3 - 2 * t)
    return result
