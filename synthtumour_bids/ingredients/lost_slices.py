"""Slices that lost signal: a head moved between excitation and read-out, or flow saturated them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from synthtumour_bids.ingredients.atlas import Atlas
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.geometry import box_of
from synthtumour_bids.synthesis.ranges import Range

SHARE = 0.1  # of the scans
MOST = 5  # slices
THICKNESS_MM = Range(2.0, 6.5)
GAIN = Range(0.3, 1.2)  # what is left; a neighbour may be brighter


@dataclass(frozen=True)
class LostSlices:
    """Axis across slices, their thickness in mm, and place in [0, 1] and gain of each lost one."""

    axis: int
    thickness: float
    slices: tuple[tuple[float, float], ...]


def sample(rng: np.random.Generator) -> LostSlices | None:
    """Draw lost slices, or none; most are axial."""
    if rng.random() >= SHARE:
        return None
    lost = tuple(
        (float(rng.random()), GAIN.draw(rng)) for _ in range(int(rng.integers(1, MOST + 1)))
    )
    return LostSlices(int(rng.choice(3, p=(0.1, 0.1, 0.8))), THICKNESS_MM.draw(rng), lost)


def render(host: Brain, _: Atlas, params: LostSlices) -> Brain:
    """Take signal from slices."""
    box, axis = box_of(host.mask), params.axis
    size = host.spacing[axis]
    gains = np.ones(host.mask.shape[axis], np.float32)
    centres = np.arange(host.mask.shape[axis]) * size
    for place, gain in params.slices:
        middle = (box.start[axis] + place * box.shape[axis]) * size
        # Partial volume: a voxel that a slice covers in part loses a part.
        covered = np.clip((params.thickness + size) / 2 - np.abs(centres - middle), 0, size) / size
        gains *= (1 + covered * (gain - 1)).astype(np.float32)
    shape = [1, 1, 1]
    shape[axis] = -1
    return replace(host, image=host.image * gains.reshape(shape))
