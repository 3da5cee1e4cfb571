"""Signal of a brain without anything wrong in it; white matter is 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthtumour_bids.simulation import ranges
from synthtumour_bids.simulation.appearance import FLAIR, Appearance
from synthtumour_bids.simulation.fields import smooth_field, smooth_step
from synthtumour_bids.simulation.places import between, ellipsoid, near_line
from synthtumour_bids.simulation.subject import Anatomy

HIPPOCAMPUS = ((26.0, -18.0, -16.0), (11.0, 22.0, 9.0))  # with the amygdala: mm, MNI; radii
INSULA = ((38.0, 4.0, 2.0), (7.0, 20.0, 16.0))
PALLIDUM = ((19.0, -4.0, 0.0), (6.0, 9.0, 7.0))
PUTAMEN = ((27.0, 4.0, 2.0), (7.0, 17.0, 11.0))
NIGRA = ((7.0, -18.0, -10.0), (6.0, 6.0, 6.0))
DENTATE = ((15.0, -56.0, -34.0), (7.0, 9.0, 6.0))
CORTICOSPINAL = (
    (25.0, -22.0, 34.0),
    (23.0, -18.0, 10.0),
    (12.0, -16.0, -14.0),
    (6.0, -24.0, -34.0),
)
OPTIC_RADIATION = ((34.0, -28.0, 0.0), (32.0, -52.0, 6.0), (24.0, -76.0, 6.0))
FOLIA_CENTRE = (0.0, -50.0, -30.0)


@dataclass(frozen=True)
class Signals:
    """How bright everything normal is, in multiples of white matter; see :mod:`.appearance`."""

    grey: float
    fluid: float
    limbic: float
    iron: float
    putamen: float
    tracts: float
    callosum: float
    cerebellum: float
    folia: float
    folia_width: float
    brainstem: float
    fine: float
    coarse: float


def sample_signals(rng: np.random.Generator, age: float, appearance: Appearance = FLAIR) -> Signals:
    """Draw the contrast of one scan; iron gathers with age, in [0, 1]."""
    return Signals(
        grey=appearance.grey.draw(rng),
        fluid=appearance.fluid.draw(rng),
        limbic=appearance.limbic.draw(rng),
        iron=appearance.iron.draw(rng) * (0.3 + 0.7 * age),
        putamen=appearance.putamen.draw(rng),
        tracts=appearance.tracts.draw(rng),
        callosum=appearance.callosum.draw(rng),
        cerebellum=appearance.cerebellum.draw(rng),
        folia=ranges.FOLIA.draw(rng),
        folia_width=ranges.FOLIA_WIDTH.draw(rng),
        brainstem=ranges.BRAINSTEM_MOTTLE.draw(rng),
        fine=ranges.TEXTURE_FINE.draw(rng),
        coarse=ranges.TEXTURE_COARSE.draw(rng),
    )


def brain_signal(anatomy: Anatomy, signals: Signals, rng: np.random.Generator) -> np.ndarray:
    """Noise-free image of a brain.

    Parameters
    ----------
    anatomy
        The subject.
    signals
        Contrast of the scan.
    rng
        Draws the textures.

    Returns
    -------
    float32 (X, Y, Z), white matter about 1, 0 outside the brain.
    """
    shape, spacing = anatomy.wm.shape, anatomy.spacing
    inside = anatomy.brain
    mni = anatomy.mni[:, inside]
    at = np.abs(mni[0]), mni[1], mni[2]
    cerebrum = anatomy.cerebrum[inside]

    def field(scale: float) -> np.ndarray:
        values: np.ndarray = smooth_field(rng, shape, spacing, scale)[inside]
        return values

    grey = signals.grey * (1 + 0.05 * field(28) + 0.03 * field(9))
    grey = grey * (1 + signals.cerebellum * (1 - cerebrum))
    cingulum = between(at[0], 0, 11) * _cingulate(at)
    limbic = np.maximum.reduce([ellipsoid(at, *HIPPOCAMPUS), ellipsoid(at, *INSULA), cingulum])
    grey = grey * (1 + signals.limbic * limbic)
    iron = np.maximum.reduce([ellipsoid(at, *one) for one in (PALLIDUM, NIGRA, DENTATE)])
    grey = grey * (1 - signals.putamen * ellipsoid(at, *PUTAMEN))

    tracts = np.maximum(near_line(at, CORTICOSPINAL, 5), near_line(at, OPTIC_RADIATION, 7))
    roof = anatomy.ventricle_distance[inside]
    callosum = between(at[0], 0, 16) * between(roof, 0, 6) * smooth_step(at[2], -5, 15)
    white = 1 + signals.tracts * tracts - signals.callosum * callosum

    stem = (1 - cerebrum) * between(at[0], 0, 15) * smooth_step(at[1], -42, -32)
    mottle = 1 + signals.brainstem * stem * (field(5) + 0.7 * field(12))
    texture = 1 + signals.coarse * field(14) + signals.fine * field(5)
    wm, gm, csf = anatomy.wm[inside], anatomy.gm[inside], anatomy.csf[inside]
    tissue = (wm * white + gm * grey) * (1 - signals.iron * iron) * texture * mottle
    tissue = tissue * (
        1 + signals.folia * _folia(at, signals.folia_width, field(20)) * (1 - cerebrum) * (1 - stem)
    )
    fluid = signals.fluid * (1 + 0.1 * field(20))
    signal = np.zeros(shape, np.float32)
    signal[inside] = tissue + csf * fluid
    return signal


def _cingulate(at: tuple[np.ndarray, ...]) -> np.ndarray:
    """Soft mask of the arch over the callosum, in the sagittal plane."""
    _, y, z = at
    radius = np.hypot((y + 4) / 1.35, z - 4)
    values: np.ndarray = between(radius, 24, 38) * smooth_step(z, -12, -2)
    return values


def _folia(at: tuple[np.ndarray, ...], width: float, warp: np.ndarray) -> np.ndarray:
    """Stripes around the cerebellum's middle, in [-1, 1]."""
    offset = [one - centre for one, centre in zip(at, FOLIA_CENTRE, strict=True)]
    radius = np.sqrt((0.5 * offset[0]) ** 2 + offset[1] ** 2 + (1.6 * offset[2]) ** 2)
    values: np.ndarray = np.cos(2 * np.pi * (radius + 3.5 * warp) / width)
    return values
