"""The default stage-1 tumour, rendered: whole lesion, core and halo.

What it does otherwise than the published procedure, and why, stands in ``docs/priors.md``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .appearance import lesion_brightness, normal_intensity, raw_brightness, soft_mask
from .boxes import Box, Spacing, box_of
from .filters import gaussian, in_voxels, margin
from .lesion import Lesion, TumourParams
from .noise import texture
from .shape import Surface, largest_component, level_box, levels

REACH = 1.3  # how far beyond its nominal surface a lesion may grow to reach its volume
FURTHER_REACH = 0.6  # as much more for a grey-matter avoidance of 1, which leaves it less room
RIM_MM = 3.0  # about the least thickness of the rim around a core
MASS_LEVEL = 0.01  # of a mass's surface: well inside any lesion
MIN_VOXELS = 8
LABEL_THRESHOLD = 0.5


def render_tumour(
    image: NDArray,
    brain: NDArray,
    spacing: Spacing,
    params: TumourParams,
    white_matter: NDArray | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Put the lesions into a copy of the image; see :func:`stage_one.render`."""
    out = np.array(image, dtype=np.float32)
    label = np.zeros(image.shape, dtype=np.uint8)
    normal = normal_intensity(image, brain)
    for lesion in params.lesions:
        look = lesion.look
        rim = margin(in_voxels(look.edge_mm, spacing))
        box, whole, depth = _body(
            lesion, image, brain, spacing, normal, params.csf, white_matter, rim
        )
        if box.empty:
            continue
        here = brain[box.slices]
        core = _core(lesion, whole, depth, box, spacing, image.shape)
        if params.purpose == "shifted":
            bright = raw_brightness(image, box, depth, core, look, normal)
            out[box.slices][whole] = bright[whole]
            label[box.slices] |= whole
            continue
        soft = soft_mask(whole, brain, box, look.edge_mm, spacing)
        bright = lesion_brightness(image, brain, box, spacing, depth, core, look, normal)
        region = out[box.slices]
        region += soft * (bright - region)
        label[box.slices] |= (soft >= LABEL_THRESHOLD) & here
    return out, label


def _body(
    lesion: Lesion,
    image: NDArray,
    brain: NDArray,
    spacing: Spacing,
    normal: float,
    csf: str,
    white_matter: NDArray | None,
    rim: tuple[int, int, int],
) -> tuple[Box, NDArray, NDArray]:
    """Box around the lesion with a rim for blending; mask and depth (0 border, 1 centre) over it.

    The border follows the level of the united surfaces, moved inwards in CSF and outside white
    matter and to and fro by noise, at the height that gives the lesion its volume. A mass belongs
    to the lesion in any case.
    """
    avoidance = lesion.grey_avoidance if white_matter is not None else 0.0
    reach = REACH + FURTHER_REACH * avoidance
    bodies = lesion.surfaces
    if lesion.core is not None and lesion.core_form == "mass":
        bodies = (*bodies, lesion.core)
    box, level = _union(bodies, lesion.surfaces, spacing, brain.shape, reach)
    here = brain[box.slices]
    level += np.float32(lesion.csf_avoidance) * _fluid(image[box.slices], normal, csf)
    if lesion.infiltration > 0:
        wobble = texture(
            box.axes_mm(spacing), lesion.infiltration_seed, lesion.infiltration_scale_mm
        )
        # Nothing at the centre, all of it at the border.
        level += np.float32(lesion.infiltration) * np.clip(wobble, -2, 2) * np.minimum(level, 1)
    if white_matter is not None and avoidance > 0:
        level += np.float32(avoidance) * (1 - white_matter[box.slices].astype(np.float32))
    if lesion.core is not None and lesion.core_form == "mass":
        near = level_box(lesion.core, spacing, brain.shape)
        own, around = levels(lesion.core, near, spacing), level[near.within(box)]
        np.minimum(around, MASS_LEVEL * own, out=around, where=own < 1)
    level[~here] = np.inf
    candidates = level[level < reach]
    wanted = max(round(lesion.volume_ml * 1000 / float(np.prod(spacing))), MIN_VOXELS)
    height = reach
    if candidates.size > wanted:
        height = max(float(np.partition(candidates, wanted)[wanted]), 1e-3)
    whole = largest_component(level < height)

    tight = box_of(whole)
    start = tuple(a + b for a, b in zip(tight.start, box.start, strict=True))
    stop = tuple(a + b for a, b in zip(tight.stop, box.start, strict=True))
    target = Box(start, stop)  # type: ignore[arg-type]
    target = target.grown(rim, brain.shape) if not tight.empty else target
    mask = np.zeros(target.shape, dtype=bool)
    depth = np.zeros(target.shape, dtype=np.float32)
    if not tight.empty:
        part = Box(start, stop).within(target)  # type: ignore[arg-type]
        mask[part] = whole[tight.slices]
        depth[part] = np.clip(1 - level[tight.slices] / np.float32(height), 0, 1)
    return target, mask, depth


def _union(
    bodies: tuple[Surface, ...],
    surfaces: tuple[Surface, ...],
    spacing: Spacing,
    shape: tuple[int, ...],
    reach: float,
) -> tuple[Box, NDArray]:
    """Box of all bodies, and how far out of the united surfaces each of its voxels lies."""
    boxes = [level_box(body, spacing, shape, reach) for body in bodies]
    box = Box(
        tuple(np.min([b.start for b in boxes], axis=0).tolist()),
        tuple(np.max([b.stop for b in boxes], axis=0).tolist()),
    )
    level = np.full(box.shape, np.inf, dtype=np.float32)
    for surface, own in zip(surfaces, boxes, strict=False):
        part = level[own.within(box)]
        np.minimum(part, levels(surface, own, spacing), out=part)
    return box, level


def _fluid(image: NDArray, normal: float, csf: str) -> NDArray:
    """How much each voxel looks like CSF, 0 to 1."""
    if csf == "dark":
        return np.clip((0.75 * normal - image) / (0.5 * normal), 0, 1).astype(np.float32)
    return np.clip((image - 1.5 * normal) / (0.5 * normal), 0, 1).astype(np.float32)


def _core(
    lesion: Lesion,
    whole: NDArray,
    depth: NDArray,
    box: Box,
    spacing: Spacing,
    shape: tuple[int, ...],
) -> NDArray | None:
    """Core mask: a mass, or the part of the lesion nearest the core's centre.

    A closed core also keeps away from the lesion's border.
    """
    if lesion.core is None:
        return None
    if lesion.core_form == "mass":
        near = level_box(lesion.core, spacing, shape).common(box)
        mass = np.zeros(whole.shape, dtype=bool)
        part = near.within(box)
        mass[part] = whole[part] & (levels(lesion.core, near, spacing) < 1)
        return mass
    inside = np.flatnonzero(whole)
    wanted = int(lesion.core_fraction * inside.size)
    if wanted < 1:
        return None
    level = levels(lesion.core, box, spacing)
    if not lesion.core_open:
        # A blurred mask falls from 1 to 1/2 towards the border: a rim is left around the core.
        within = gaussian(whole, box, box, in_voxels(RIM_MM, spacing))
        level += 4 * np.maximum(0.9 - within, 0) - depth
    level = level.ravel()[inside]
    core = np.zeros(whole.shape, dtype=bool)
    core.ravel()[inside[np.argpartition(level, wanted - 1)[:wanted]]] = True
    return core
