"""White-matter hyperintensities: of small vessels in all degrees, and plaques.

What tells them from tumour: they hug the ventricles on both sides, spare the fibres under the
cortex, and the ventricles are wide beside them instead of pressed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthtumour_bids.simulation import ranges
from synthtumour_bids.simulation.anatomy import SHAPE, SPACING, to_voxels
from synthtumour_bids.simulation.appearance import FLAIR, Appearance
from synthtumour_bids.simulation.fields import smooth_field, smooth_step
from synthtumour_bids.simulation.places import between, blob
from synthtumour_bids.simulation.subject import Anatomy, carry

FRONTAL_HORN = (19.0, 33.0, 8.0)  # mm, MNI, |x|
OCCIPITAL_HORN = (28.0, -62.0, 14.0)
PONS = (0.0, -26.0, -32.0)


@dataclass(frozen=True)
class Hyperintensities:
    """What is bright in one head's white matter.

    Attributes
    ----------
    burden
        0 none to 1 severest.
    rim, rim_signal
        Thickness in mm and signal of the bright lining of the ventricles.
    frontal, occipital, band
        mm that caps and bands reach into white matter.
    dots, plaques
        Their numbers.
    signal
        Where they are densest, in multiples of white matter; below 1, all of this is dark.
    pallor
        Excess of the white matter around them.
    edge
        mm over which they fade.
    asymmetry
        0: both sides are alike; 1: independent.
    pons
        Excess in the middle of the pons.
    """

    burden: float
    rim: float
    rim_signal: float
    frontal: float
    occipital: float
    band: float
    dots: int
    plaques: int
    signal: float
    pallor: float
    edge: float
    asymmetry: float
    pons: float


def sample_hyperintensities(
    rng: np.random.Generator, age: float, appearance: Appearance = FLAIR
) -> Hyperintensities:
    """Draw what is bright in a head of this age, in [0, 1]; two old heads may differ much."""
    excess = -0.3 if appearance.dark_lesions else 0.3
    burden = float(np.clip(age**1.5 * rng.uniform(0.1, 1.6), 0, 1))
    plaques = rng.random() < ranges.PLAQUE_SHARE
    return Hyperintensities(
        burden=burden,
        rim=ranges.RIM.draw(rng),
        rim_signal=appearance.rim.draw(rng),
        frontal=ranges.CAP_FRONTAL.draw(rng) * burden,
        occipital=ranges.CAP_OCCIPITAL.draw(rng) * burden,
        band=ranges.BAND.draw(rng) * burden,
        dots=int(rng.poisson(1 + ranges.DOTS * burden * rng.random())),
        plaques=int(rng.integers(1, ranges.PLAQUES + 1)) if plaques else 0,
        signal=appearance.lesion.draw(rng),
        pallor=appearance.pallor.draw(rng) * burden,
        edge=ranges.EDGE.draw(rng),
        asymmetry=ranges.ASYMMETRY.draw(rng),
        pons=excess * float(rng.random()) if rng.random() < ranges.PONS_SHARE * 2 * age else 0.0,
    )


def add_hyperintensities(
    signal: np.ndarray, anatomy: Anatomy, params: Hyperintensities, rng: np.random.Generator
) -> np.ndarray:
    """Show in white matter where the small vessels have failed.

    Parameters
    ----------
    signal
        float32 (X, Y, Z), white matter 1.
    anatomy
        The subject, on the same grid.
    params
        What is drawn.
    rng
        Draws shapes and places.

    Returns
    -------
    float32 (X, Y, Z), a new array.
    """
    inside = anatomy.brain & (anatomy.wm > 0.15)
    mni = anatomy.mni[:, inside]
    at = np.abs(mni[0]), mni[1], mni[2]
    distance = anatomy.ventricle_distance[inside]

    def both_sides(scale: float) -> np.ndarray:
        return carry(_two_sided(rng, scale, params.asymmetry), to_voxels(mni))

    waves = np.clip(1 + 0.35 * both_sides(26) + 0.2 * both_sides(11), 0.2, None)
    upper = smooth_step(at[2], 0, 14)
    reach = params.band * upper + params.frontal * blob(at, FRONTAL_HORN, 13)
    reach = (reach + params.occipital * blob(at, OCCIPITAL_HORN, 17)) * waves
    edge = params.edge
    confluent = 1 - smooth_step(distance - reach, -edge, edge)
    # Bands rise into the centrum semiovale, where there is no ventricle below the roof.
    centrum = between(at[0], 17, 33) * between(at[2], 26, 46) * between(at[1], -52, 26)
    rising = smooth_step(
        both_sides(13) + 1.6 * centrum, 2.9 - 2.6 * params.burden, 3.6 - 2.4 * params.burden
    )
    confluent = np.maximum(confluent * (reach > 0.5), rising * smooth_step(at[2], 14, 26))
    under_cortex = smooth_step(anatomy.pial_depth[inside], 3.0, 7.0)
    cerebrum = anatomy.cerebrum[inside] * smooth_step(at[2], -22, -8)
    alpha = confluent * under_cortex * cerebrum
    alpha = np.maximum(alpha, _spots(mni, anatomy, inside, params, rng))
    alpha = alpha * smooth_step(anatomy.wm[inside], 0.15, 0.7)

    pale = 1 - smooth_step(distance - 2.0 * reach - 3, 0, 9)
    pale = params.pallor * pale * under_cortex * cerebrum
    rim = (1 - smooth_step(distance - params.rim, -0.8, 0.8)) * cerebrum * (params.rim > 0.3)
    bright = params.signal * (1 + 0.08 * both_sides(9))
    values = signal[inside] * (1 + pale) * (1 + params.pons * blob(at, PONS, 6))
    # Neither makes what is brighter already less bright, nor what is darker less dark.
    towards = np.maximum if params.signal > 1 else np.minimum
    values = values + towards(params.rim_signal - values, 0) * rim * anatomy.wm[inside]
    values = values + towards(bright - values, 0) * alpha
    result = signal.copy()
    result[inside] = values
    return result


def _two_sided(rng: np.random.Generator, scale: float, asymmetry: float) -> np.ndarray:
    """Smooth random field of unit variance in the average head, alike on both sides or not."""
    field = smooth_field(rng, SHAPE, SPACING, scale)
    mixed = (1 - asymmetry) * (field + field[::-1]) / np.sqrt(2) + asymmetry * field
    values: np.ndarray = mixed / max(float(mixed.std()), 1e-6)
    return values


def _spots(
    mni: np.ndarray,
    anatomy: Anatomy,
    inside: np.ndarray,
    params: Hyperintensities,
    rng: np.random.Generator,
) -> np.ndarray:
    """Dots in the deep white matter, and ovoid plaques beside the ventricles, in [0, 1]."""
    values = np.zeros(mni.shape[1], np.float32)
    distance, depth = anatomy.ventricle_distance[inside], anatomy.pial_depth[inside]
    white = (anatomy.wm[inside] > 0.7) & (anatomy.cerebrum[inside] > 0.5) & (mni[2] > -12)
    for count, where, stretch in (
        (params.dots, white & (depth > 4) & (distance > 4), 1.0),
        (params.plaques, white & (distance > 1) & (distance < 16), 1.8),
    ):
        candidates = np.flatnonzero(where)
        if not candidates.size:
            continue
        for index in rng.choice(candidates, count):
            radius = ranges.DOT_RADIUS.draw(rng) * (1.0 if stretch == 1 else 1.6)
            centre = mni[:, index]
            close = np.flatnonzero(np.abs(mni - centre[:, None]).max(0) < 2.5 * stretch * radius)
            offset = mni[:, close] - centre[:, None]
            offset[0] /= stretch  # plaques stand on the ventricle's wall
            spot = 1 - smooth_step(np.sqrt((offset**2).sum(0)), 0.5 * radius, 1.5 * radius)
            values[close] = np.maximum(values[close], spot)
    return values
