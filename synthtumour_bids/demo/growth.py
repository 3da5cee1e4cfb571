"""Tumour growth by reaction and diffusion (Fisher–KPP), as gliomas are modelled.

    du/dt = div(D(x) grad u) + rho u (1 - u)

u is the tumour cell density relative to what the tissue can hold, D is larger in white than in
grey matter and zero in CSF and outside the brain (no flux through these walls). The shapes that
come out follow the anatomy; they share nothing with the shapes that the app synthesises, which
makes the demo an honest test.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

GRID = 2.0  # mm; finer inputs are simulated on blocks of about this size
NEGLIGIBLE = 1e-5  # density that is not worth computing
MARGIN = 4  # voxels computed around it
STEPS_PER_BOX = 8  # between two looks at the extent
MAX_STEPS = 4000


@dataclass(frozen=True)
class Growth:
    """How a tumour grows.

    Attributes
    ----------
    diffusion_wm, diffusion_gm
        mm² per day; glioma models take a ratio of 5 to 100.
    proliferation
        Per day.
    visible
        Density from which a tumour is seen on FLAIR, in (0, 1).
    volume
        mL of visible tumour at which the growth is stopped.
    """

    diffusion_wm: float
    diffusion_gm: float
    proliferation: float
    visible: float
    volume: float


def _step(density: np.ndarray, faces: list[np.ndarray], growth: Growth, days: float) -> np.ndarray:
    """Advance by one explicit step; ``faces`` hold D/dx² between neighbours along each axis."""
    change = growth.proliferation * density * (1 - density)
    for axis, face in enumerate(faces):
        flux = face * np.diff(density, axis=axis)
        # What enters a voxel from one side leaves its neighbour: mass is conserved.
        along = np.moveaxis(change, axis, 0)
        along[:-1] += np.moveaxis(flux, axis, 0)
        along[1:] -= np.moveaxis(flux, axis, 0)
    values: np.ndarray = np.clip(density + days * change, 0, 1)
    return values


def _blocks(values: np.ndarray, factor: int) -> np.ndarray:
    """Average blocks of ``factor``³ voxels; the ends are padded with zeros."""
    padded = np.pad(values, [(0, -n % factor) for n in values.shape])
    x, y, z = (n // factor for n in padded.shape)
    result: np.ndarray = padded.reshape(x, factor, y, factor, z, factor).mean(axis=(1, 3, 5))
    return result


def grow(
    wm: np.ndarray,
    gm: np.ndarray,
    spacing: float,
    seed_voxel: tuple[int, int, int],
    growth: Growth,
    heterogeneity: np.ndarray | None = None,
) -> np.ndarray:
    """Grow one tumour from a few cells.

    Parameters
    ----------
    wm, gm
        Tissue fractions (X, Y, Z) in [0, 1]; their sum is zero where nothing can grow.
    spacing
        Voxel size in mm, isotropic.
    seed_voxel
        Where the first cells are.
    growth
        Rates, and the volume at which to stop.
    heterogeneity
        Positive factors (X, Y, Z) of the diffusion, 1 on average: tracts and barriers that the
        tissue maps do not show.

    Returns
    -------
    Density (X, Y, Z) float32 in [0, 1]. The visible volume is at least ``growth.volume``, or
    what the reachable tissue can hold.
    """
    factor = max(1, round(GRID / spacing))
    step_mm = spacing * factor
    white, grey = _blocks(wm, factor), _blocks(gm, factor)
    diffusion = growth.diffusion_wm * white + growth.diffusion_gm * grey
    if heterogeneity is not None:
        diffusion = diffusion * _blocks(heterogeneity, factor)
    diffusion = np.where(white + grey > 0.5, diffusion, 0).astype(np.float32)
    days = 0.8 * step_mm**2 / (6 * max(float(diffusion.max()), 1e-6))  # stability of the scheme
    days = min(days, 0.2 / growth.proliferation)

    faces = []
    for axis in range(3):
        low = np.delete(diffusion, -1, axis)
        high = np.delete(diffusion, 0, axis)
        # The harmonic mean closes every face that touches tissue without diffusion.
        faces.append(2 * low * high / np.maximum(low + high, 1e-9) / step_mm**2)

    density = np.zeros_like(diffusion)
    density[tuple(i // factor for i in seed_voxel)] = 1
    target = growth.volume * 1000 / step_mm**3
    for step in range(MAX_STEPS):
        if step % STEPS_PER_BOX == 0:
            box = _box_of(density > NEGLIGIBLE)
            faces_inside = [
                face[tuple(slice(b.start, b.stop - (a == axis)) for a, b in enumerate(box))]
                for axis, face in enumerate(faces)
            ]
        density[box] = _step(density[box], faces_inside, growth, days)
        if np.count_nonzero(density[box] > growth.visible) >= target:
            break
    if factor == 1:
        return density
    fine = ndimage.zoom(density, factor, order=1, grid_mode=True, mode="nearest")
    values: np.ndarray = fine[: wm.shape[0], : wm.shape[1], : wm.shape[2]] * (wm + gm > 0.3)
    return values


def _box_of(mask: np.ndarray) -> tuple[slice, ...]:
    """Bounding box of a mask with a margin, inside the array."""
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    return tuple(
        slice(max(0, s.start - MARGIN), min(n, s.stop + MARGIN))
        for s, n in zip(box, mask.shape, strict=True)
    )
