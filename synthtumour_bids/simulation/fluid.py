"""What is bright in the fluid: the choroid plexus, and CSF that flows in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthtumour_bids.simulation import ranges
from synthtumour_bids.simulation.appearance import FLAIR, Appearance
from synthtumour_bids.simulation.fields import smooth_field, smooth_step
from synthtumour_bids.simulation.places import blob, near_line
from synthtumour_bids.simulation.subject import Anatomy

PLEXUS = (
    (26.0, -34.0, -6.0),
    (25.0, -42.0, 8.0),
    (18.0, -32.0, 17.0),
    (8.0, -8.0, 17.0),
    (3.0, 0.0, 10.0),
)
INFLOW = (  # where CSF comes fresh: mm, MNI, |x|; size in mm
    ((0.0, -44.0, -32.0), 9.0),  # fourth ventricle
    ((0.0, -30.0, -10.0), 5.0),  # aqueduct
    ((3.0, 2.0, 6.0), 7.0),  # foramina of Monro
    ((0.0, -6.0, -28.0), 12.0),  # in front of the pons
    ((10.0, -2.0, -20.0), 10.0),  # around the circle of Willis
)


@dataclass(frozen=True)
class Fluid:
    """Signals in multiples of white matter; radius in mm; ``flow`` is 0 where none escapes."""

    choroid: float
    radius: float
    flow: float


def sample_fluid(rng: np.random.Generator, appearance: Appearance = FLAIR) -> Fluid:
    """Draw what is bright in the fluid."""
    flow = appearance.flow.draw(rng) if rng.random() < appearance.flow_share else 0.0
    return Fluid(appearance.choroid.draw(rng), ranges.CHOROID_RADIUS.draw(rng), flow)


def add_fluid(
    signal: np.ndarray, anatomy: Anatomy, params: Fluid, rng: np.random.Generator
) -> np.ndarray:
    """Brighten the plexus and inflowing CSF.

    Parameters
    ----------
    signal
        float32 (X, Y, Z), white matter 1.
    anatomy
        The subject, on the same grid.
    params
        What is drawn.
    rng
        Draws where it is bright.

    Returns
    -------
    float32 (X, Y, Z), a new array.
    """
    shape, spacing = signal.shape, anatomy.spacing
    inside = anatomy.brain & (anatomy.csf > 0.2)
    mni = anatomy.mni[:, inside]
    at = np.abs(mni[0]), mni[1], mni[2]
    csf = anatomy.csf[inside]
    clumps = 0.75 + 0.25 * smooth_field(rng, shape, spacing, 6)[inside]
    plexus = smooth_step(near_line(at, PLEXUS, params.radius) * clumps, 0.25, 0.7)
    plexus = plexus * (anatomy.ventricle_distance[inside] < 1)
    values = signal[inside]
    values = values + (params.choroid - values) * plexus * csf
    if params.flow:
        patches = smooth_field(rng, shape, spacing, 10)[inside]
        inflow = np.maximum.reduce([blob(at, place, size) for place, size in INFLOW])
        flow = smooth_step(inflow + 0.35 * patches, 0.45, 1.1) * csf
        values = values + np.maximum(params.flow - values, 0) * flow
    result = signal.copy()
    result[inside] = values
    return result
