"""A necrotic centre, of irregular outline, with a rim of living tumour around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.ingredients import solid
from synthtumour_bids.synthesis.bodies import Body
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.filters import SHORT, gaussian, in_voxels
from synthtumour_bids.synthesis.geometry import smoothstep
from synthtumour_bids.synthesis.noise import texture
from synthtumour_bids.synthesis.ranges import Range

SHARE = 0.5  # of tumours; most glioblastomas have one, lower grades do not
LEAST_ML = 4.0  # of a solid part, below which its centre is supplied
FRACTION = Range(0.12, 0.6)  # of the solid part
GAIN = Range(0.35, 1.1)  # multiples of normal: from fluid to debris rich in protein
RIM = Range(0.1, 0.6)  # excess of the rim, multiples of normal
OUTLINE = Range(0.08, 0.3)  # irregularity, in units of the depth inside the solid part
OUTLINE_MM = Range(6.0, 13.0)
DEBRIS = 0.07  # s.d. of what lies in it, relative
EDGE = 0.06  # half width of its edge and
RIM_WIDTH = 0.3  # width of the rim, in units of the depth


@dataclass(frozen=True)
class Necrosis:
    """Share of the solid part, brightness, rim and outline of a necrotic centre; see the ranges."""

    fraction: float
    gain: float
    rim: float
    outline: float
    outline_mm: float
    seed: int


def sample(rng: np.random.Generator) -> Necrosis | None:
    """Draw a necrotic centre, or none."""
    if rng.random() >= SHARE:
        return None
    return Necrosis(
        FRACTION.draw(rng),
        GAIN.draw(rng),
        RIM.draw(rng),
        OUTLINE.draw(rng),
        OUTLINE_MM.draw(rng),
        int(rng.integers(2**31)),
    )


def paint(
    bright: NDArray[np.float32], body: Body, host: Brain, params: Necrosis
) -> NDArray[np.float32]:
    """Let the centre of a solid part die; a small one and one with a core of its own stay.

    Parameters
    ----------
    bright
        Brightness of the body over its box.
    body, host
        The body, and the brain it lies in.
    params
        From :func:`sample`.

    Returns
    -------
    ndarray of float32
        Over the box.
    """
    if body.core is not None and body.lesion.core_form != "mass":
        return bright
    share = solid.share(body)
    voxels = share > 0.5
    volume_mm3 = np.count_nonzero(voxels) * float(np.prod(host.spacing))
    if volume_mm3 < 1000 * LEAST_ML:
        return bright
    width = 0.3 * (3 * volume_mm3 / (4 * np.pi)) ** (1 / 3)
    depth = gaussian(share, body.box, body.box, in_voxels(width, host.spacing), SHORT)
    axes = body.box.axes_mm(host.spacing)
    depth += np.float32(params.outline) * depth * texture(axes, params.seed, params.outline_mm)
    height = float(np.quantile(depth[voxels], 1 - params.fraction))
    dead = smoothstep(np.clip((depth - height) / (2 * EDGE) + 0.5, 0, 1)) * voxels
    rim = np.clip(1 - (height - depth) / RIM_WIDTH, 0, 1) * (1 - dead) * voxels
    debris = 1 + np.float32(DEBRIS) * texture(axes, params.seed + 1, 5.0)
    normal = np.float32(host.normal)
    bright = bright + np.float32(params.rim) * normal * rim
    return np.asarray(bright + dead * (np.float32(params.gain) * normal * debris - bright))
