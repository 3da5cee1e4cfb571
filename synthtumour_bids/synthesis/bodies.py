"""Where in its host a lesion lies: its border, its depth and its core.

A lesion is what lies below some height of a level-set function, which is below 1 inside a surface
and grows outwards: other influences on the border are added to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .brain import Brain
from .filters import SHORT, gaussian, in_voxels, margin
from .geometry import Box, Mask, Numbers, Spacing, box_of, largest_component, triple
from .lesion import Lesion, TumourParams
from .noise import texture
from .ranges import Csf
from .shape import level_box, levels

REACH = 1.3  # how far beyond its nominal surface a lesion may grow to reach its volume
FURTHER_REACH = 0.6  # as much more for a grey-matter avoidance of 1, which leaves it less room
RIM_MM = 3.0  # about the least thickness of the rim around a core
MASS_LEVEL = 0.01  # of a mass's surface: well inside any lesion
MIN_VOXELS = 8
THINNING = 3  # of the look at where a lesion will lie
ENOUGH_VOXELS = 200  # inside the lesion, for that look
MARGIN = 2  # thinned voxels around what it found


@dataclass(frozen=True, eq=False)
class Body:
    """One lesion in its host.

    Attributes
    ----------
    lesion
        What it was drawn as.
    box
        Where it lies, with a rim for blending; the arrays cover it.
    whole
        Mask of all of it.
    depth
        float32, 0 on the border to 1 at the centre.
    core
        Mask of its core, or None.
    """

    lesion: Lesion
    box: Box
    whole: Mask
    depth: NDArray[np.float32]
    core: Mask | None


def bodies(host: Brain, params: TumourParams) -> Iterator[Body]:
    """Find out where in its host each lesion lies; lesions without a voxel are left out.

    Parameters
    ----------
    host
        The brain that the parameters were drawn for.
    params
        From :func:`.lesion.sample_tumour`.
    """
    tissue = _Tissue(
        host.image, host.mask, host.white_matter, host.spacing, host.normal, params.csf
    )
    for lesion in params.lesions:
        rim = margin(in_voxels(lesion.look.edge_mm, host.spacing), SHORT)
        box, whole, depth = _body(lesion, tissue, rim)
        if not box.empty:
            yield Body(lesion, box, whole, depth, _core(lesion, whole, depth, box, tissue))


@dataclass(frozen=True, eq=False)
class _Tissue:
    """What a lesion's border follows; (X, Y, Z) arrays on one grid."""

    image: Numbers
    brain: Mask
    white_matter: Numbers | None
    spacing: Spacing
    normal: float
    csf: Csf

    def thinned(self, step: int) -> _Tissue:
        """Every `step`-th voxel along each axis."""
        thin = (slice(None, None, step),) * 3
        return replace(
            self,
            image=self.image[thin],
            brain=self.brain[thin],
            white_matter=None if self.white_matter is None else self.white_matter[thin],
            spacing=triple(s * step for s in self.spacing),
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


def _body(
    lesion: Lesion, tissue: _Tissue, rim: tuple[int, int, int]
) -> tuple[Box, Mask, NDArray[np.float32]]:
    """Box around the lesion with a rim for blending; mask and depth (0 border, 1 centre) over it.

    The border follows the level of the united surfaces, moved inwards in CSF and outside white
    matter and to and fro by noise, at the height that gives the lesion its volume. A mass belongs
    to the lesion in any case.
    """
    box, level = _level(lesion, tissue, _extent(lesion, tissue))
    height = _height(level, lesion, tissue)
    whole = largest_component(level < height)

    tight = box_of(whole)
    own = tight.moved(box.start)
    target = own if tight.empty else own.grown(rim, tissue.brain.shape)
    mask = np.zeros(target.shape, dtype=bool)
    depth = np.zeros(target.shape, dtype=np.float32)
    if not tight.empty:
        part = own.within(target)
        mask[part] = whole[tight.slices]
        depth[part] = np.clip(1 - level[tight.slices] / np.float32(height), 0, 1)
    return target, mask, depth


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
    found = inside.moved(box.start)
    return Box.of(
        (THINNING * (a - MARGIN) for a in found.start),
        (THINNING * (b + MARGIN) for b in found.stop),
    )


def _level(
    lesion: Lesion, tissue: _Tissue, within: Box | None = None
) -> tuple[Box, NDArray[np.float32]]:
    """How far out of the lesion each voxel lies, over the box of all its bodies or a part of it."""
    spacing, shape = tissue.spacing, tissue.brain.shape
    mass = lesion.core if lesion.core_form == "mass" else None
    bodies = lesion.surfaces if mass is None else (*lesion.surfaces, mass)
    boxes = [level_box(body, spacing, shape, tissue.reach(lesion)) for body in bodies]
    box = Box.of(
        np.min([b.start for b in boxes], axis=0).tolist(),
        np.max([b.stop for b in boxes], axis=0).tolist(),
    )
    box = box if within is None else box.common(within)
    level = np.full(box.shape, np.inf, dtype=np.float32)
    for surface, own in zip(lesion.surfaces, boxes, strict=False):
        own = own.common(box)
        part = level[own.within(box)]
        np.minimum(part, levels(surface, own, spacing), out=part)

    wet = _fluid(tissue.image[box.slices], tissue.normal, tissue.csf)
    level += np.float32(lesion.csf_avoidance) * wet
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


def _height(level: NDArray[np.float32], lesion: Lesion, tissue: _Tissue) -> float:
    """Level that as many voxels lie below as the lesion's volume takes, if so many can be had."""
    reach = tissue.reach(lesion)
    candidates = level[level < reach]
    wanted = max(tissue.voxels(lesion.volume_ml), MIN_VOXELS)
    if candidates.size <= wanted:
        return reach
    return max(float(np.partition(candidates, wanted)[wanted]), 1e-3)


def _fluid(image: Numbers, normal: float, csf: Csf) -> NDArray[np.float32]:
    """How much each voxel looks like CSF, 0 to 1."""
    if csf == "dark":
        return np.clip((0.75 * normal - image) / (0.5 * normal), 0, 1).astype(np.float32)
    return np.clip((image - 1.5 * normal) / (0.5 * normal), 0, 1).astype(np.float32)


def _core(
    lesion: Lesion, whole: Mask, depth: NDArray[np.float32], box: Box, tissue: _Tissue
) -> Mask | None:
    """Core mask: a mass, or the part of the lesion nearest the core's centre.

    A closed core also keeps away from the lesion's border.
    """
    spacing = tissue.spacing
    if lesion.core is None:
        return None
    if lesion.core_form == "mass":
        near = level_box(lesion.core, spacing, tissue.brain.shape).common(box)
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
