"""What surrounds a brain in its head: fluid, bone with marrow, muscle, fat, eyes, air."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthtumour_bids.simulation.anatomy import average_head, to_voxels
from synthtumour_bids.simulation.fields import smooth_field, smooth_step
from synthtumour_bids.simulation.subject import FAR, Anatomy, carry

SKIN = 0.7
AIR = 0.03


@dataclass(frozen=True)
class Surroundings:
    """Thickness in mm, and signals in multiples of white matter.

    Attributes
    ----------
    skull, scalp
        Mean thickness of the bone; mm more than the average scalp.
    fluid, bone, marrow, fat, muscle
        Signals; cortical bone is dark, fat bright.
    """

    skull: float
    scalp: float
    fluid: float
    bone: float
    marrow: float
    fat: float
    muscle: float


def sample_surroundings(rng: np.random.Generator) -> Surroundings:
    """Draw what surrounds a brain on FLAIR."""
    return Surroundings(
        skull=float(rng.uniform(5.0, 8.0)),
        scalp=float(rng.uniform(-2.0, 4.0)),
        fluid=float(rng.uniform(0.12, 0.28)),
        bone=float(rng.uniform(0.06, 0.12)),
        marrow=float(rng.uniform(0.3, 0.7)),
        fat=float(rng.uniform(1.2, 2.0)),
        muscle=float(rng.uniform(0.5, 0.75)),
    )


def surround(
    signal: np.ndarray, anatomy: Anatomy, params: Surroundings, rng: np.random.Generator
) -> np.ndarray:
    """Put a head around a brain.

    Parameters
    ----------
    signal
        float32 (X, Y, Z), white matter 1.
    anatomy
        The subject, on the same grid.
    params
        What is drawn.
    rng
        Draws the textures.

    Returns
    -------
    float32 (X, Y, Z), the brain as it was.
    """
    average, at = average_head(), to_voxels(anatomy.mni)
    shape, spacing = signal.shape, anatomy.spacing
    distance = carry(average.brain_distance, at, FAR)
    skin = carry(average.head_distance, at, FAR) - params.scalp * smooth_step(distance, 3, 9)
    thickness = params.skull * (1 + 0.15 * smooth_field(rng, shape, spacing, 30))
    depth = distance - 1.5  # from the inner table outwards
    streaks = smooth_field(rng, shape, spacing, 9)

    # Deep soft tissue: muscle with fat between, and the bones of the face.
    soft = params.muscle * (1 + 0.25 * streaks)
    soft = soft + (params.fat - soft) * smooth_step(streaks, 0.5, 1.4)
    bones = smooth_step(smooth_field(rng, shape, spacing, 16), 0.4, 0.9)
    front = smooth_step(anatomy.mni[1], -10, 10) * smooth_step(-anatomy.mni[2], 15, 30)
    around = soft + (params.bone - soft) * bones * front

    # Fat under the skin, then the skin itself.
    around = around + (params.fat - around) * smooth_step(skin, -6.5, -4)
    around = around + (SKIN - around) * smooth_step(skin, -2, -0.5)
    around = around + (params.fat - around) * carry(average.orbits, at)
    around = around + (params.fluid - around) * carry(average.eyes, at)

    # Bone around the brain, its marrow in the middle third.
    table = 1 - smooth_step(depth - thickness, -0.7, 0.7)
    middle = np.clip(1 - np.abs(depth / thickness - 0.5) / 0.3, 0, 1)
    vault = smooth_step(anatomy.mni[2], -25, 0)
    bone = params.bone + (params.marrow - params.bone) * middle * vault
    around = around + (bone - around) * table
    around = around + (AIR - around) * carry(average.airways, at)
    # A film of CSF and dura between brain and bone.
    around = around + (params.fluid - around) * (1 - smooth_step(depth, -1.5, 0.5))
    around = around * (1 - smooth_step(skin, -0.8, 0.8))
    return np.where(anatomy.brain, signal, around).astype(np.float32)
