"""How a tumour looks: brightness, halo, core, texture and edge, over the lesion's box only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .filters import SHORT, brain_blur, gaussian, in_voxels, margin
from .geometry import Box, Mask, Numbers, Spacing, slabs, smoothstep
from .noise import texture

ANATOMY_MM = 5.0  # width of the blur that keeps the large-scale brightness of the host
_SLAB = 1 << 15  # voxels whose brightness is computed at a time


@dataclass(frozen=True)
class Appearance:
    """Brightness of one lesion; gains are multiples of normal brain.

    Attributes
    ----------
    gain
        Factor at the lesion's centre (below 1: hypo-intense).
    anatomy
        Share of the host's local brightness (blurred by 5 mm) in what the gain multiplies; the
        rest is the brain's median, as if tissue had replaced ventricle or sulcus.
    residual_texture
        Share of the host's fine structure and noise that stays visible.
    texture_amplitude, texture_scale_mm, texture_seed
        Multiplicative random texture.
    halo_gain, halo_depth
        Share of the excess brightness at the border, and the depth (0 border, 1 centre) at which
        it is complete; a share of 1 is a homogeneous lesion.
    core_gain, core_edge_mm
        Brightness of the core and width of its transition.
    core_smoothness
        Share of the host's fine structure that the core hides.
    edge_mm
        Width of the transition to the host (Gaussian standard deviation).
    """

    gain: float
    anatomy: float
    residual_texture: float
    texture_amplitude: float
    texture_scale_mm: float
    texture_seed: int
    halo_gain: float
    halo_depth: float
    core_gain: float
    core_edge_mm: float
    core_smoothness: float
    edge_mm: float


def soft_mask(
    mask: Mask, brain: Mask, box: Box, edge_mm: float, spacing: Spacing
) -> NDArray[np.float32]:
    """Blur a mask within the brain: 1 inside, 0 outside, 1/2 on its border, 0 beyond the brain.

    The brain's own surface does not count as a border.

    Parameters
    ----------
    mask
        Over the box, (X, Y, Z).
    brain
        Over the whole image.
    box
        Which part of the image the mask covers.
    edge_mm
        Standard deviation of the blur, mm.
    spacing
        Voxel size, mm.

    Returns
    -------
    ndarray of float32
        Over the box, in [0, 1].
    """
    sigma = in_voxels(edge_mm, spacing)
    source = box.grown(margin(sigma, SHORT), brain.shape)
    inside = brain[source.slices]
    weights = gaussian(inside, source, box, sigma, SHORT)
    blurred = gaussian(mask, box, box, sigma, SHORT)
    known = brain[box.slices] & (weights > 1e-4)
    return np.divide(blurred, weights, out=np.zeros_like(blurred), where=known)


def lesion_brightness(
    image: Numbers,
    brain: Mask,
    box: Box,
    spacing: Spacing,
    depth: NDArray[np.float32],
    core: Mask | None,
    look: Appearance,
    normal: float,
) -> NDArray[np.float32]:
    """Brightness the lesion would have in every voxel of its box.

    Parameters
    ----------
    image, brain
        Whole image and brain mask, (X, Y, Z).
    box
        The lesion's box.
    spacing
        Voxel size, mm.
    depth
        0 on the lesion's border to 1 at its centre, over the box.
    core
        Core mask over the box, or None.
    look
        Its appearance.
    normal
        Brightness of normal brain.

    Returns
    -------
    ndarray of float32
        Over the box, never negative.
    """
    local = brain_blur(image, brain, box, ANATOMY_MM, spacing)
    inner = field = None
    if core is not None:
        inner = gaussian(core, box, box, in_voxels(look.core_edge_mm, spacing), SHORT)
    if look.texture_amplitude > 0:
        field = texture(box.axes_mm(spacing), look.texture_seed, look.texture_scale_mm)
    out = np.empty(box.shape, dtype=np.float32)
    host, here = image[box.slices], brain[box.slices]
    for slab in slabs(box.shape, _SLAB):
        fine = np.where(here[slab], host[slab] - local[slab], np.float32(0))
        base = np.float32(look.anatomy) * local[slab] + np.float32((1 - look.anatomy) * normal)
        rise = np.clip(depth[slab] / np.float32(look.halo_depth), 0, 1)
        share = np.float32(look.halo_gain) + np.float32(1 - look.halo_gain) * smoothstep(rise)
        bright = base * (1 + np.float32(look.gain - 1) * share)
        if inner is not None:
            bright += inner[slab] * (np.float32(look.core_gain * normal) - bright)
            fine *= 1 - np.float32(look.core_smoothness) * inner[slab]
        if field is not None:
            bright *= 1 + np.float32(look.texture_amplitude) * field[slab]
        bright += np.float32(look.residual_texture) * fine
        np.maximum(bright, np.float32(0), out=out[slab])
    return out


def raw_brightness(
    image: Numbers,
    box: Box,
    depth: NDArray[np.float32],
    core: Mask | None,
    look: Appearance,
    normal: float,
) -> NDArray[np.float32]:
    """Brightness under the shifted intensity model: the raw scan times the gain, no blending.

    The host's anatomy shows through; halo and core act as factors, with hard borders.

    Parameters
    ----------
    image, box, depth, core, look, normal
        As for :func:`lesion_brightness`.

    Returns
    -------
    ndarray of float32
        Over the box, never negative.
    """
    share = np.where(depth >= look.halo_depth, 1, look.halo_gain).astype(np.float32)
    bright = image[box.slices] * (1 + np.float32(look.gain - 1) * share)
    if core is not None:
        bright = np.where(core, image[box.slices] * np.float32(look.core_gain), bright)
    return np.asarray(np.maximum(bright, np.float32(0)))
