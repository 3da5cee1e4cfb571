"""FLAIR signal of a grown tumour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from synthtumour_bids.simulation.fields import smooth_field, smooth_step
from synthtumour_bids.simulation.subject import Anatomy

SOLID = (0.75, 0.98)  # densities from which a tumour begins to look solid, and is all solid


@dataclass(frozen=True)
class TumourSignals:
    """Signals of oedema and of what has died, in multiples of white matter."""

    lesion: float
    necrosis: float


def sample_tumour_signals(rng: np.random.Generator) -> TumourSignals:
    """Draw how bright a tumour is; no brighter than the gains in docs/priors.md."""
    return TumourSignals(float(rng.uniform(1.5, 2.0)), float(rng.uniform(0.5, 0.9)))


def add_tumour(
    brain: np.ndarray,
    anatomy: Anatomy,
    signals: TumourSignals,
    density: np.ndarray,
    visible: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Brighten where cells and oedema are, darken what has died in the middle.

    Parameters
    ----------
    brain
        float32 (X, Y, Z), white matter 1.
    anatomy
        The subject, on the same grid.
    signals
        Of the tumour.
    density
        Of tumour cells, in [0, 1]; the saturated middle of a large tumour is necrotic.
    visible
        Density around which oedema shows.
    rng
        Draws the textures.

    Returns
    -------
    float32 (X, Y, Z).
    """
    shape, spacing = brain.shape, anatomy.spacing
    mottle = smooth_field(rng, shape, spacing, 6)
    coarse = smooth_field(rng, shape, spacing, 14)
    alpha = smooth_step(density, 0.3 * visible, 1.7 * visible) * (1 - 0.8 * anatomy.csf)
    # Oedema is brighter than the cellular part, and cortex takes up less water than white matter.
    oedema = signals.lesion * (1 - 0.12 * anatomy.gm)
    solid = 1 + 0.65 * (signals.lesion - 1)
    cellular = smooth_step(density, *SOLID)
    lesion = (oedema + (solid - oedema) * cellular) * (1 + 0.06 * mottle + 0.05 * coarse)
    depth = ndimage.distance_transform_edt(density > 0.9, sampling=spacing)
    necrotic = smooth_step(depth + 1.5 * mottle, 8, 11)
    lesion = lesion + (signals.necrosis - lesion) * necrotic
    values: np.ndarray = brain + (lesion - brain) * alpha
    return values
