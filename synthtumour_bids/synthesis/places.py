"""Where a tumour may sit: random voxels of the brain, found without listing the whole mask."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .boxes import Spacing
from .shape import Triple

_BATCH = 64
_BATCHES = 64


def random_voxel(rng: np.random.Generator, mask: NDArray[Any]) -> tuple[int, int, int]:
    """Draw one voxel uniformly from a mask, (i, j, k).

    Raises
    ------
    ValueError
        If the mask is empty.
    """
    for _ in range(_BATCHES):
        trial = np.stack([rng.integers(0, n, _BATCH) for n in mask.shape], axis=1)
        hits = np.flatnonzero(mask[tuple(trial.T)])
        if hits.size:
            i, j, k = trial[hits[0]].tolist()
            return i, j, k
    inside = np.flatnonzero(mask)  # a mask so thin that guessing misses it
    if not inside.size:
        raise ValueError("The brain mask is empty, so no tumour can be placed in it.")
    i, j, k = (int(n) for n in np.unravel_index(rng.choice(inside), mask.shape))
    return i, j, k


def tissue_voxel(
    rng: np.random.Generator,
    image: NDArray[Any],
    brain: NDArray[Any],
    spacing: Spacing,
    normal: float,
    csf: str,
    placement: NDArray[Any] | None,
) -> tuple[int, int, int]:
    """Draw a voxel of brain tissue: some mm below the surface, not CSF, weighted by `placement`.

    Without `placement` the scan itself has to tell: the neighbourhood (about 5 mm) must be brain
    and of tissue brightness, judged against `normal` (`csf` is ``"dark"`` or ``"bright"``).
    `placement` gives non-negative weights on the same grid instead, such as the probability of
    grey or white matter; a voxel is kept with probability weight / maximum.
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
    return place


def to_mm(voxel: tuple[int, int, int], spacing: Spacing) -> Triple:
    """Voxel index to mm from the array's first voxel, along the array's axes."""
    x, y, z = (float(i * s) for i, s in zip(voxel, spacing, strict=True))
    return x, y, z


def _is_tissue(
    image: NDArray[Any],
    brain: NDArray[Any],
    spacing: Spacing,
    place: tuple[int, int, int],
    normal: float,
    csf: str,
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
