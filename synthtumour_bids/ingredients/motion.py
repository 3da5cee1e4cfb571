"""A head that moved: ghosts along the phase axis, and blur."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from synthtumour_bids.ingredients.atlas import Atlas
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.geometry import box_of
from synthtumour_bids.synthesis.ranges import Range

SHARE = 0.15  # of the scans
GHOST = Range(0.02, 0.12)  # share of the signal in each of two ghosts; more is scanned again
SHIFT_MM = Range(5.0, 60.0)  # waves of the ghosts: head movement is slow, pulsation faster
BLUR = Range(0.0, 0.35)  # weight of each neighbour along the axis
AXES = (0, 1)  # phase runs across or along the head


@dataclass(frozen=True)
class Motion:
    """Phase axis, share and mm of the ghosts, weight of the neighbours."""

    axis: int
    ghost: float
    shift: float
    blur: float


def sample(rng: np.random.Generator) -> Motion | None:
    """Draw motion, or none."""
    if rng.random() >= SHARE:
        return None
    return Motion(int(rng.choice(AXES)), GHOST.draw(rng), SHIFT_MM.draw(rng), BLUR.draw(rng))


def render(host: Brain, _: Atlas, params: Motion) -> Brain:
    """Let the head move; what lies outside the mask stays as it is."""
    moved = np.array(host.image, dtype=np.float32)
    box = box_of(host.mask)
    still, axis = moved[box.slices], params.axis
    steps = max(1, round(params.shift / host.spacing[axis]))
    far = np.roll(still, steps, axis) + np.roll(still, -steps, axis)
    near = np.roll(still, 1, axis) + np.roll(still, -1, axis)
    total = still + np.float32(params.blur) * near + np.float32(params.ghost) * far
    total /= np.float32(1 + 2 * params.blur + 2 * params.ghost)
    moved[box.slices] = np.where(host.mask[box.slices], total, still)
    return replace(host, image=moved)
