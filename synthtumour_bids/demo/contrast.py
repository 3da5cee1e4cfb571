"""FLAIR signal of a head and of what is wrong in it; white matter is 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from synthtumour_bids.demo.fields import smooth_field, smooth_step
from synthtumour_bids.demo.subject import Anatomy


@dataclass(frozen=True)
class Signals:
    """Signal of each tissue relative to white matter, as on clinical FLAIR.

    CSF is nulled, grey matter is a little brighter than white, cortical bone is dark, fat bright.
    """

    gm: float
    csf: float
    bone: float
    marrow: float
    fat: float
    muscle: float
    lesion: float
    necrosis: float
    hyperintensity: float


def sample_signals(rng: np.random.Generator) -> Signals:
    """Draw the contrast of one scan."""
    return Signals(
        gm=float(rng.uniform(1.12, 1.3)),
        csf=float(rng.uniform(0.12, 0.28)),
        bone=float(rng.uniform(0.06, 0.12)),
        marrow=float(rng.uniform(0.3, 0.7)),
        fat=float(rng.uniform(1.2, 2.0)),
        muscle=float(rng.uniform(0.5, 0.75)),
        lesion=float(rng.uniform(1.5, 2.0)),
        necrosis=float(rng.uniform(0.5, 0.9)),
        hyperintensity=float(rng.uniform(1.35, 1.7)),
    )


def hyperintensity_map(anatomy: Anatomy, burden: float, rng: np.random.Generator) -> np.ndarray:
    """White-matter hyperintensities of small vessels, in [0, 1].

    Caps and bands around the ventricles grow with ``burden`` (0 none, 1 severe); patches in the
    deep white matter appear where a random field is high.
    """
    shape, spacing = anatomy.wm.shape, anatomy.spacing
    reach = 2 + 9 * burden * (1 + 0.5 * smooth_field(rng, shape, spacing, 25))
    band = 1 - smooth_step(anatomy.ventricle_distance - reach, 0, 3)
    patches = smooth_step(smooth_field(rng, shape, spacing, 7), 2.3 - 0.9 * burden, 2.9)
    deep = smooth_step(-anatomy.brain_distance, 12, 18)
    cerebrum = smooth_step(anatomy.mni[2], -25, -10)
    values: np.ndarray = (
        np.maximum(band, patches) * deep * cerebrum * smooth_step(anatomy.wm, 0.4, 0.8)
    )
    return values


def _surroundings(
    anatomy: Anatomy, signals: Signals, skull: float, rng: np.random.Generator
) -> np.ndarray:
    """Signal outside the brain: subarachnoid CSF, bone with marrow, muscle, fat, eyes, air."""
    shape, spacing = anatomy.wm.shape, anatomy.spacing
    thickness = skull * (1 + 0.15 * smooth_field(rng, shape, spacing, 30))
    depth = anatomy.brain_distance - 1.5  # from the inner table outwards
    streaks = smooth_field(rng, shape, spacing, 9)

    # Deep soft tissue: muscle with fat between, and the bones of the face.
    soft = signals.muscle * (1 + 0.25 * streaks)
    soft = soft + (signals.fat - soft) * smooth_step(streaks, 0.5, 1.4)
    bones = smooth_step(smooth_field(rng, shape, spacing, 16), 0.4, 0.9)
    front = smooth_step(anatomy.mni[1], -10, 10) * smooth_step(-anatomy.mni[2], 15, 30)
    signal = soft + (signals.bone - soft) * bones * front

    # Fat under the skin, then the skin itself.
    under_skin = smooth_step(anatomy.head_distance, -6.5, -4)
    signal = signal + (signals.fat - signal) * under_skin
    signal = signal + (0.7 - signal) * smooth_step(anatomy.head_distance, -2, -0.5)
    signal = signal + (signals.fat - signal) * anatomy.orbits
    signal = signal + (signals.csf - signal) * anatomy.eyes

    # Bone around the brain, its marrow in the middle third.
    table = 1 - smooth_step(depth - thickness, -0.7, 0.7)
    middle = np.clip(1 - np.abs(depth / thickness - 0.5) / 0.3, 0, 1)
    vault = smooth_step(anatomy.mni[2], -25, 0)
    bone = signals.bone + (signals.marrow - signals.bone) * middle * vault
    signal = signal + (bone - signal) * table
    signal = signal + (0.03 - signal) * anatomy.airways
    # A film of CSF and dura between brain and bone.
    signal = signal + (signals.csf - signal) * (1 - smooth_step(depth, -1.5, 0.5))
    values: np.ndarray = signal * (1 - smooth_step(anatomy.head_distance, -0.8, 0.8))
    return values


def flair_signal(
    anatomy: Anatomy,
    signals: Signals,
    skull: float,
    rng: np.random.Generator,
    *,
    hyperintensities: np.ndarray | None = None,
    density: np.ndarray | None = None,
    visible: float = 0.2,
) -> np.ndarray:
    """Noise-free FLAIR of a head.

    Parameters
    ----------
    anatomy
        The subject.
    signals, skull
        Contrast of the scan; mean thickness of the bone in mm.
    rng
        Draws the textures.
    hyperintensities
        Map in [0, 1] of white-matter hyperintensities.
    density
        Tumour cell density in [0, 1]; oedema shows around ``visible``, and the saturated middle
        of a large tumour is necrotic.

    Returns
    -------
    float32 (X, Y, Z), white matter about 1.
    """
    shape, spacing = anatomy.wm.shape, anatomy.spacing
    texture = 1 + 0.03 * smooth_field(rng, shape, spacing, 12)
    texture += 0.02 * smooth_field(rng, shape, spacing, 5)
    cortex = signals.gm * (1 + 0.05 * smooth_field(rng, shape, spacing, 28))
    brain = anatomy.wm * texture + anatomy.gm * cortex * texture + anatomy.csf * signals.csf
    if hyperintensities is not None:
        brain = brain + (signals.hyperintensity - brain) * hyperintensities
    if density is not None:
        brain = _with_tumour(brain, anatomy, signals, density, visible, rng)
    surroundings = _surroundings(anatomy, signals, skull, rng)
    return np.where(anatomy.brain, brain, surroundings).astype(np.float32)


def _with_tumour(
    brain: np.ndarray,
    anatomy: Anatomy,
    signals: Signals,
    density: np.ndarray,
    visible: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Brighten where cells and oedema are, darken what has died in the middle."""
    shape, spacing = brain.shape, anatomy.spacing
    mottle = smooth_field(rng, shape, spacing, 6)
    coarse = smooth_field(rng, shape, spacing, 14)
    alpha = smooth_step(density, 0.3 * visible, 1.7 * visible) * (1 - 0.8 * anatomy.csf)
    # Oedema is brighter than the cellular part, and cortex takes up less water than white matter.
    oedema = signals.lesion * (1 - 0.12 * anatomy.gm)
    solid = 1 + 0.65 * (signals.lesion - 1)
    cellular = smooth_step(density, 0.75, 0.98)
    lesion = (oedema + (solid - oedema) * cellular) * (1 + 0.06 * mottle + 0.05 * coarse)
    depth = ndimage.distance_transform_edt(density > 0.9, sampling=spacing)
    necrotic = smooth_step(depth + 1.5 * mottle, 8, 11)
    lesion = lesion + (signals.necrosis - lesion) * necrotic
    values: np.ndarray = brain + (lesion - brain) * alpha
    return values
