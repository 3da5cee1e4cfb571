"""Bright choroid plexus, and fluid that flows in: bright, inside the ventricles and cisterns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from synthtumour_bids.ingredients.atlas import Atlas
from synthtumour_bids.simulation.fields import smooth_step
from synthtumour_bids.simulation.fluid import INFLOW, PLEXUS, Fluid, sample_fluid
from synthtumour_bids.simulation.places import blob, near_line
from synthtumour_bids.synthesis.bodies import fluid
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.noise import texture

SHARE = 0.5  # of the hosts; ranges are those of simulated heads
LOW, HIGH = (-38.0, -62.0, -46.0), (38.0, 16.0, 30.0)  # mm, MNI: holds plexus and inflow


@dataclass(frozen=True)
class Bright:
    """What is bright in the fluid, and the seed of where."""

    fluid: Fluid
    seed: int


def sample(rng: np.random.Generator) -> Bright | None:
    """Draw what is bright in the fluid, or nothing."""
    if rng.random() >= SHARE:
        return None
    return Bright(sample_fluid(rng), int(rng.integers(2**31)))


def render(host: Brain, atlas: Atlas, params: Bright) -> Brain:
    """Brighten a host's plexus and inflowing fluid."""
    box = atlas.box(LOW, HIGH)
    here, bright, normal = box.slices, params.fluid, np.float32(host.normal)
    middle, front, height = np.broadcast_arrays(*atlas.places(box))
    at = middle, front, height
    image = np.array(host.image, dtype=np.float32)
    values = image[here]
    wet = fluid(values, host.normal, "dark") * host.mask[here]
    axes = box.axes_mm(host.spacing)
    clumps = 0.75 + 0.25 * texture(axes, params.seed, 6.0)
    plexus = smooth_step(near_line(at, PLEXUS, bright.radius) * clumps, 0.25, 0.7) * wet
    values += np.maximum(np.float32(bright.choroid) * normal - values, 0) * plexus
    if bright.flow:
        inflow = np.maximum.reduce([blob(at, place, size) for place, size in INFLOW])
        patches = inflow + 0.35 * texture(axes, params.seed + 1, 10.0)
        flow = smooth_step(patches, 0.45, 1.1) * wet
        values += np.maximum(np.float32(bright.flow) * normal - values, 0) * flow
    image[here] = values
    return replace(host, image=image)
