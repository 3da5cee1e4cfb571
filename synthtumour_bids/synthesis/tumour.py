"""The default stage-1 tumour, rendered: whole lesion, core and halo.

What it does otherwise than the published procedure, and why, stands in ``docs/priors.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .appearance import lesion_brightness, normal_intensity, raw_brightness, soft_mask
from .boxes import Box, Spacing, box_of
from .filters import SHORT, gaussian, in_voxels, margin
from .lesion import Lesion, TumourParams
from .noise import texture
from .shape import largest_component, level_box, levels

REACH = 1.3  # how far beyond its nominal surface a lesion may grow to reach its volume
FURTHER_REACH = 0.6  # as much more for a grey-matter avoidance of 1, which leaves it less room
RIM_MM = 3.0  # about the least thickness of the rim around a core
MASS_LEVEL = 0.01  # of a mass's surface: well inside any lesion
MIN_VOXELS = 8
THINNING = 3  # of the look at where a lesion will lie
ENOUGH_VOXELS = 200  # inside the lesion, for that look
MARGIN = 2  # thinned voxels around what it found
LABEL_THRESHOLD = 0.5


def render_tumour(
    image: NDArray[Any],
    brain: NDArray[Any],
    spacing: Spacing,
    params: TumourParams,
    white_matter: NDArray[Any] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Put the lesions into a copy of the image; see :func:`stage_one.render`."""
    out = np.array(image, dtype=np.float32)
    label = np.zeros(image.shape, dtype=np.uint8)
    normal = normal_intensity(image, brain)
    for lesion in params.lesions:
        look = lesion.look
        rim = margin(in_voxels(look.edge_mm, spacing), SHORT)
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
    image: NDArray[Any],
    brain: NDArray[Any],
    spacing: Spacing,
    normal: float,
    csf: str,
    white_matter: NDArray[Any] | None,
    rim: tuple[int, int, int],
) -> tuple[Box, NDArray[Any], NDArray[Any]]:
    """Box around the lesion with a rim for blending; mask and depth (0 border, 1 centre) over it.

    The border follows the level of the united surfaces, moved inwards in CSF and outside white
    matter and to and fro by noise, at the height that gives the lesion its volume. A mass belongs
    to the lesion in any case.
    """
    tissue = _Tissue(image, brain, white_matter, spacing, normal, csf)
    box, level = _level(lesion, tissue, _extent(lesion, tissue))
    height = _height(level, lesion, tissue)
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


@dataclass(frozen=True, eq=False)
class _Tissue:
    """What a lesion's border follows; (X, Y, Z) arrays on one grid."""

    image: NDArray[Any]
    brain: NDArray[Any]
    white_matter: NDArray[Any] | None
    spacing: Spacing
    normal: float
    csf: str

    def thinned(self, step: int) -> _Tissue:
        """Every `step`-th voxel along each axis."""
        thin = (slice(None, None, step),) * 3
        white = None if self.white_matter is None else self.white_matter[thin]
        i, j, k = (s * step for s in self.spacing)
        return replace(
            self,
            image=self.image[thin],
            brain=self.brain[thin],
            white_matter=white,
            spacing=(i, j, k),
        )

    def voxels(self, volume_ml: float) -> int:
        """How many voxels make up a volume."""
        return round(volume_ml * 1000 / float(np.prod(self.spacing)))

    def avoidance(self, lesion: Lesion) -> float:
        """How strongly the lesion keeps out of what is not white matter."""
        return lesion.grey_avoidance if self.white_matter is not None else 0.0

    def reach(self, lesion: Lesion) -> float:
        """Highest level that the lesion may grow to."""
        return REACH + FURTHER_REACH * self.avoidance(lesion)


def _extent(lesion: Lesion, tissue: _Tissue) -> Box | None:
    """Box that holds the lesion, as every `THINNING`-th voxel tells it.

    A lesion may reach far beyond its nominal surface and rarely does: without this, most of the
    work would be done on voxels that turn out to lie outside. None where too few voxels would tell.
    """
    thin = tissue.thinned(THINNING)
    if thin.voxels(lesion.volume_ml) < ENOUGH_VOXELS:
        return None
    box, level = _level(lesion, thin)
    inside = box_of(level < _height(level, lesion, thin))
    start = (THINNING * (a + b - MARGIN) for a, b in zip(inside.start, box.start, strict=True))
    stop = (THINNING * (a + b + MARGIN) for a, b in zip(inside.stop, box.start, strict=True))
    return Box(tuple(start), tuple(stop))  # type: ignore[arg-type]


def _level(lesion: Lesion, tissue: _Tissue, within: Box | None = None) -> tuple[Box, NDArray[Any]]:
    """How far out of the lesion each voxel lies, over the box of all its bodies or a part of it."""
    spacing, shape = tissue.spacing, tissue.brain.shape
    mass = lesion.core if lesion.core_form == "mass" else None
    bodies = lesion.surfaces if mass is None else (*lesion.surfaces, mass)
    boxes = [level_box(body, spacing, shape, tissue.reach(lesion)) for body in bodies]
    box = Box(
        tuple(np.min([b.start for b in boxes], axis=0).tolist()),
        tuple(np.max([b.stop for b in boxes], axis=0).tolist()),
    )
    box = box if within is None else box.common(within)
    level = np.full(box.shape, np.inf, dtype=np.float32)
    for surface, own in zip(lesion.surfaces, boxes, strict=False):
        own = own.common(box)
        part = level[own.within(box)]
        np.minimum(part, levels(surface, own, spacing), out=part)

    fluid = _fluid(tissue.image[box.slices], tissue.normal, tissue.csf)
    level += np.float32(lesion.csf_avoidance) * fluid
    if lesion.infiltration > 0:
        wobble = texture(
            box.axes_mm(spacing), lesion.infiltration_seed, lesion.infiltration_scale_mm
        )
        # Nothing at the centre, all of it at the border.
        level += np.float32(lesion.infiltration) * np.clip(wobble, -2, 2) * np.minimum(level, 1)
    avoidance = tissue.avoidance(lesion)
    if tissue.white_matter is not None and avoidance > 0:
        white = tissue.white_matter[box.slices].astype(np.float32)
        level += np.float32(avoidance) * (1 - white)
    if mass is not None:
        near = level_box(mass, spacing, shape).common(box)
        own_level, around = levels(mass, near, spacing), level[near.within(box)]
        np.minimum(around, MASS_LEVEL * own_level, out=around, where=own_level < 1)
    level[~tissue.brain[box.slices]] = np.inf
    return box, level


def _height(level: NDArray[Any], lesion: Lesion, tissue: _Tissue) -> float:
    """Level that as many voxels lie below as the lesion's volume takes, if so many can be had."""
    reach = tissue.reach(lesion)
    candidates = level[level < reach]
    wanted = max(tissue.voxels(lesion.volume_ml), MIN_VOXELS)
    if candidates.size <= wanted:
        return reach
    return max(float(np.partition(candidates, wanted)[wanted]), 1e-3)


def _fluid(image: NDArray[Any], normal: float, csf: str) -> NDArray[Any]:
    """How much each voxel looks like CSF, 0 to 1."""
    if csf == "dark":
        return np.clip((0.75 * normal - image) / (0.5 * normal), 0, 1).astype(np.float32)
    return np.clip((image - 1.5 * normal) / (0.5 * normal), 0, 1).astype(np.float32)


def _core(
    lesion: Lesion,
    whole: NDArray[Any],
    depth: NDArray[Any],
    box: Box,
    spacing: Spacing,
    shape: tuple[int, ...],
) -> NDArray[Any] | None:
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
        within = gaussian(whole, box, box, in_voxels(RIM_MM, spacing), SHORT)
        level += 4 * np.maximum(0.9 - within, 0) - depth
    level = level.ravel()[inside]
    core = np.zeros(whole.shape, dtype=bool)
    core.ravel()[inside[np.argpartition(level, wanted - 1)[:wanted]]] = True
    return core
