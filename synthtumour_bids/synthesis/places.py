"""Where a tumour may sit: random voxels of the brain, found without listing the whole mask."""

from __future__ import annotations

import numpy as np

from .geometry import Mask, Numbers, Spacing, Triple, triple
from .ranges import Csf

_BATCH = 64
_BATCHES = 64


def random_voxel(rng: np.random.Generator, mask: Mask) -> tuple[int, int, int]:
    """Draw one voxel uniformly from a mask.

    Parameters
    ----------
    rng
        Any generator.
    mask
        (X, Y, Z).

    Returns
    -------
    tuple of int
        Index (i, j, k).

    Raises
    ------
    ValueError
        If the mask is empty.
    """
    for _ in range(_BATCHES):
        trial = np.stack([rng.integers(0, n, _BATCH) for n in mask.shape], axis=1)
        hits = np.flatnonzero(mask[tuple(trial.T)])
        if hits.size:
            return triple(trial[hits[0]].tolist())
    inside = np.flatnonzero(mask)  # a mask so thin that guessing misses it
    if not inside.size:
        raise ValueError("The brain mask is empty, so no tumour can be placed in it.")
    return triple(int(n) for n in np.unravel_index(rng.choice(inside), mask.shape))


def tissue_voxel(
    rng: np.random.Generator,
    image: Numbers,
    brain: Mask,
    spacing: Spacing,
    normal: float,
    csf: Csf,
    placement: Numbers | None,
) -> tuple[int, int, int]:
    """Draw a voxel of brain tissue: some mm below the surface, not CSF, weighted by `placement`.

    Parameters
    ----------
    rng
        Any generator.
    image, brain
        Scan and brain mask, (X, Y, Z).
    spacing
        Voxel size, mm.
    normal
        Brightness of normal brain.
    csf
        Whether CSF is darker or brighter than tissue.
    placement
        Non-negative weights on the same grid, such as the probability of grey or white matter: a
        voxel is kept with probability weight / maximum. Without them, or where all are 0, the scan
        itself has to tell: the neighbourhood (about 5 mm) must be brain and of tissue brightness.

    Returns
    -------
    tuple of int
        Index (i, j, k); without weights, any voxel of the brain where none was found in many tries.

    Raises
    ------
    ValueError
        If the mask is empty, or the weights are on another grid or 0 in all of the brain.
    """
    if placement is not None:
        if placement.shape != brain.shape:
            raise ValueError(
                f"Placement weights have shape {placement.shape}, the brain {brain.shape}; both "
                "must lie on the same grid."
            )
        top = float(placement.max())
        if top <= 0:
            placement = None
    place = random_voxel(rng, brain)
    for _ in range(400):
        if placement is not None:
            keep = rng.random() * top < placement[place]
        else:
            keep = _is_tissue(image, brain, spacing, place, normal, csf)
        if keep:
            return place
        place = random_voxel(rng, brain)
    return place if placement is None else _weighted_voxel(rng, np.where(brain, placement, 0))


def _weighted_voxel(rng: np.random.Generator, weights: Numbers) -> tuple[int, int, int]:
    """Draw a voxel by its weight: slower than trying, and sure to find small places."""
    shares = weights.ravel().astype(np.float64)
    total = shares.sum()
    if total == 0:
        raise ValueError("No place that a tumour may be centred in lies inside the brain.")
    chosen = rng.choice(shares.size, p=shares / total)
    return triple(int(n) for n in np.unravel_index(chosen, weights.shape))


def to_mm(voxel: tuple[int, int, int], spacing: Spacing) -> Triple:
    """Position of a voxel, mm from the array's first voxel along its axes.

    Parameters
    ----------
    voxel
        Its index (i, j, k).
    spacing
        Voxel size, mm.
    """
    return triple(float(i * s) for i, s in zip(voxel, spacing, strict=True))


def _is_tissue(
    image: Numbers,
    brain: Mask,
    spacing: Spacing,
    place: tuple[int, int, int],
    normal: float,
    csf: Csf,
) -> bool:
    around = tuple(
        slice(max(i - round(5 / s), 0), i + round(5 / s) + 1)
        for i, s in zip(place, spacing, strict=True)
    )
    inside = brain[around]
    if inside.mean() < 0.85:
        return False
    mean = float(image[around][inside].mean()) if inside.any() else 0.0
    return mean > 0.65 * normal if csf == "dark" else mean < 1.5 * normal
