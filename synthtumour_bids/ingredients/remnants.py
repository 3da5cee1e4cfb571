"""What skull stripping may leave: fat of an orbit, a shell of scalp, marrow or dura."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from synthtumour_bids.ingredients.atlas import Atlas
from synthtumour_bids.simulation.appearance import FLAIR
from synthtumour_bids.simulation.places import ellipsoid
from synthtumour_bids.simulation.stripping import ORBIT, SHELLS
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.geometry import triple
from synthtumour_bids.synthesis.noise import texture
from synthtumour_bids.synthesis.ranges import Range

SHARE = 0.25  # of the hosts
ORBIT_SHARE = 0.4  # of the remnants
DEPTH = Range(2.0, 7.0)  # mm of a shell; fat of an orbit reaches further
ORBIT_DEPTH = Range(5.0, 22.0)
GAP_MM = 1.5  # between what is left and the average brain's surface, at most


@dataclass(frozen=True)
class Remnant:
    """Its place (-1: an orbit), side (-1, 1 or both: 0), mm, signal and seed."""

    place: int
    side: int
    depth: float
    signal: float
    seed: int


def sample(rng: np.random.Generator) -> Remnant | None:
    """Draw a remnant, or none."""
    if rng.random() >= SHARE:
        return None
    orbit = bool(rng.random() < ORBIT_SHARE)
    return Remnant(
        -1 if orbit else int(rng.integers(len(SHELLS))),
        int(rng.integers(-1, 2)),
        (ORBIT_DEPTH if orbit else DEPTH).draw(rng),
        (FLAIR.orbit if orbit else FLAIR.shell).draw(rng),
        int(rng.integers(2**31)),
    )


def render(host: Brain, atlas: Atlas, params: Remnant) -> Brain:
    """Leave something of the head outside the brain, which the mask takes for brain."""
    centre, radii = ORBIT if params.place < 0 else SHELLS[params.place]
    reach = 1.35 * np.array(radii)
    low, high = centre - reach, centre + reach
    low[0] = -high[0]
    box = atlas.box(triple(low.tolist()), triple(high.tolist()))
    here, axes = box.slices, box.axes_mm(host.spacing)
    place = ellipsoid(atlas.places(box), centre, radii)
    if params.side:
        place = place * (params.side * atlas.axes(box)[0] > 0)[:, None, None]
    place = place * (1 + 0.4 * texture(axes, params.seed, 12.0))
    distance = atlas.brain_distance[here]
    left = (place > 0.5) & (distance > -GAP_MM) & (distance < params.depth) & ~host.mask[here]
    image, mask = np.array(host.image, dtype=np.float32), host.mask.copy()
    signal = params.signal * host.normal * (1 + 0.25 * texture(axes, params.seed + 1, 5.0))
    image[here][left] = np.maximum(signal[left], 0.05 * host.normal)
    mask[here] |= left
    return replace(host, image=image, mask=mask)
