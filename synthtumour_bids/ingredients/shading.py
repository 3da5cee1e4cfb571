"""Shading that the bias correction left: of a coil that is near, or over the whole head."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from synthtumour_bids.ingredients.atlas import Atlas
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.geometry import box_of
from synthtumour_bids.synthesis.noise import texture
from synthtumour_bids.synthesis.ranges import Range

SHARE = 0.25  # of the scans
LOG_GAIN = Range(0.04, 0.16)  # s.d.; more is corrected by every bias correction
SCALE_MM = Range(50.0, 90.0)


@dataclass(frozen=True)
class Shading:
    """S.d. of the logarithm of the gain, mm of its features, seed."""

    log_gain: float
    scale: float
    seed: int


def sample(rng: np.random.Generator) -> Shading | None:
    """Draw shading, or none."""
    if rng.random() >= SHARE:
        return None
    return Shading(LOG_GAIN.draw(rng), SCALE_MM.draw(rng), int(rng.integers(2**31)))


def render(host: Brain, _: Atlas, params: Shading) -> Brain:
    """Shade a scan."""
    box = box_of(host.mask)
    field = texture(box.axes_mm(host.spacing), params.seed, params.scale)
    shaded = np.array(host.image, dtype=np.float32)
    shaded[box.slices] *= np.exp(np.float32(params.log_gain) * field)
    return replace(host, image=shaded)
