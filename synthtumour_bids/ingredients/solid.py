"""Solid parts: mottled, with a border that can be seen, in place of the sulci they have filled."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.synthesis.bodies import Body, fluid
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.filters import SHORT, gaussian, in_voxels
from synthtumour_bids.synthesis.lesion import Lesion
from synthtumour_bids.synthesis.noise import texture
from synthtumour_bids.synthesis.ranges import Csf, Range

MOTTLE = Range(0.03, 0.1)  # s.d. of cell-rich and cell-poor parts, relative to brightness
MOTTLE_MM = Range(4.0, 7.0)
PATCHES = Range(0.04, 0.16)  # the same of regions
PATCHES_MM = Range(9.0, 18.0)
BORDER = Range(-0.12, 0.3)  # excess of a capsule or of compressed tissue, multiples of normal
ISO = (0.85, 1.2)  # gains between which a body could be missed:
ISO_BORDER = Range(0.12, 0.4)  # its border is bright, and
ISO_PATCHES = Range(0.1, 0.2)  # its patches differ more
BORDER_MM = 1.6  # s.d. of the border
ROUGHNESS = Range(0.35, 0.8)  # displacement of the surface in radii; more than an ellipsoid's
SOLID_DEPTH = 0.4  # of a lesion without a mass, from which on it counts as solid


@dataclass(frozen=True)
class Solid:
    """Texture of solid parts, relative, mm and seeds; excess of the border; iso: if hardly seen."""

    mottle: float
    mottle_mm: float
    patches: float
    iso_patches: float
    patches_mm: float
    border: float
    iso_border: float
    roughness: float
    seed: int


def sample(rng: np.random.Generator) -> Solid:
    """Draw what solid parts look like."""
    return Solid(
        mottle=MOTTLE.draw(rng),
        mottle_mm=MOTTLE_MM.draw(rng),
        patches=PATCHES.draw(rng),
        iso_patches=ISO_PATCHES.draw(rng),
        patches_mm=PATCHES_MM.draw(rng),
        border=BORDER.draw(rng),
        iso_border=ISO_BORDER.draw(rng),
        roughness=ROUGHNESS.draw(rng),
        seed=int(rng.integers(2**31)),
    )


def shape(lesion: Lesion, params: Solid) -> Lesion:
    """Give a mass a rougher surface."""
    if lesion.core is None or lesion.core_form != "mass":
        return lesion
    return replace(lesion, core=replace(lesion.core, amplitude=params.roughness))


def share(body: Body) -> NDArray[np.float32]:
    """Share of solid tumour in each voxel of a body's box, in [0, 1]."""
    if body.core is not None and body.lesion.core_form == "mass":
        return body.core.astype(np.float32)
    return np.clip(body.depth / np.float32(SOLID_DEPTH), 0, 1)


def paint(
    bright: NDArray[np.float32], body: Body, host: Brain, csf: Csf, params: Solid
) -> NDArray[np.float32]:
    """Give solid parts their look.

    Parameters
    ----------
    bright
        Brightness of the body over its box.
    body, host
        The body, and the brain it lies in.
    csf
        Whether fluid is dark or bright.
    params
        From :func:`sample`.

    Returns
    -------
    ndarray of float32
        Over the box, never negative.
    """
    box, spacing, normal = body.box, host.spacing, np.float32(host.normal)
    inside = gaussian(share(body), box, box, in_voxels(BORDER_MM, spacing), SHORT)
    mass = body.core is not None and body.lesion.core_form == "mass"
    gain = body.lesion.look.core_gain if mass else body.lesion.look.gain
    iso = mass and ISO[0] < gain < ISO[1]
    border, patches = (
        (params.iso_border, params.iso_patches) if iso else (params.border, params.patches)
    )
    axes = box.axes_mm(spacing)
    field = np.float32(params.mottle) * texture(axes, params.seed, params.mottle_mm)
    field += np.float32(patches) * texture(axes, params.seed + 1, params.patches_mm)
    # Sulci and ventricle that a body has grown into are gone.
    effaced = fluid(host.image[box.slices], host.normal, csf) * inside
    bright = bright + effaced * np.maximum(np.float32(gain) * normal - bright, 0)
    bright = bright * (1 + inside * np.clip(field, -0.4, 0.6))
    if mass:
        bright += np.float32(border) * normal * 4 * inside * (1 - inside)
    return np.maximum(bright, np.float32(0))
