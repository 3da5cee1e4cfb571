"""Bright rims at the brain's surface: of the skull base beside air, and of cortex and dura."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from synthtumour_bids.ingredients.atlas import Atlas
from synthtumour_bids.simulation.fields import smooth_step
from synthtumour_bids.simulation.places import Point, ellipsoid
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.filters import SHORT, gaussian, in_voxels
from synthtumour_bids.synthesis.geometry import triple
from synthtumour_bids.synthesis.noise import texture
from synthtumour_bids.synthesis.ranges import Range

SHARE = 0.35  # of the hosts
PLACES: tuple[tuple[Point, Point], ...] = (  # mm, MNI, |x|; radii
    ((10.0, 40.0, -22.0), (26.0, 26.0, 14.0)),  # over the orbits: air of the sinuses is near
    ((48.0, 2.0, -34.0), (22.0, 24.0, 18.0)),  # temporal poles
    ((50.0, -34.0, -18.0), (18.0, 24.0, 14.0)),  # over the petrous bone
    ((8.0, -8.0, -16.0), (20.0, 20.0, 14.0)),  # around the sella
    ((36.0, -50.0, 52.0), (32.0, 34.0, 26.0)),  # convexity
    ((14.0, -88.0, 4.0), (34.0, 22.0, 30.0)),  # occipital poles: coils are near
)
SIGNAL = Range(1.2, 2.2)  # multiples of normal brain
THICKNESS_MM = Range(2.0, 5.0)


@dataclass(frozen=True)
class Rim:
    """Its place, on one side (-1, 1) or both (0), signal, mm of thickness and seed."""

    place: int
    side: int
    signal: float
    thickness: float
    seed: int


def sample(rng: np.random.Generator) -> Rim | None:
    """Draw a rim, or none."""
    if rng.random() >= SHARE:
        return None
    return Rim(
        int(rng.integers(len(PLACES))),
        int(rng.integers(-1, 2)),
        SIGNAL.draw(rng),
        THICKNESS_MM.draw(rng),
        int(rng.integers(2**31)),
    )


def render(host: Brain, atlas: Atlas, params: Rim) -> Brain:
    """Brighten a part of a host's surface."""
    centre, radii = PLACES[params.place]
    reach = 1.35 * np.array(radii)
    low, high = centre - reach, centre + reach
    low[0], high[0] = -high[0], high[0]
    box = atlas.box(triple(low.tolist()), triple(high.tolist()))
    image = np.array(host.image, dtype=np.float32)
    here, values, normal = box.slices, image[box.slices], np.float32(host.normal)
    # Half of a blurred mask is left at a flat surface, five sixths one standard deviation below.
    inside = gaussian(host.mask[here], box, box, in_voxels(params.thickness, host.spacing), SHORT)
    edge = 1 - smooth_step(inside, 0.7, 0.92)
    place = ellipsoid(atlas.places(box), centre, radii)
    if params.side:
        place = place * (params.side * atlas.axes(box)[0] > 0)[:, None, None]
    patches = smooth_step(texture(box.axes_mm(host.spacing), params.seed, 9.0), -0.8, 0.6)
    tissue = smooth_step(values / normal, 0.4, 0.7)
    alpha = (edge * place * patches * tissue * host.mask[here]).astype(np.float32)
    image[here] = values + np.maximum(np.float32(params.signal) * normal - values, 0) * alpha
    return replace(host, image=image)
