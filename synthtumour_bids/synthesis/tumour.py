"""The default stage-1 tumour: whole lesion, core and halo, drawn from priors.

What it does otherwise than the published procedure, and why, stands in ``docs/priors.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .appearance import Appearance, lesion_brightness, normal_intensity, raw_brightness, soft_mask
from .boxes import Box, Spacing, box_of
from .filters import gaussian, in_voxels, margin
from .noise import texture
from .places import tissue_voxel, to_mm
from .priors import CoreKind, Priors
from .shape import Surface, Triple, largest_component, level_box, levels, sphere_radius_mm

REACH = 1.3  # how far beyond its nominal surface a lesion may grow to reach its volume
RIM_MM = 3.0  # about the least thickness of the rim around a core
MIN_VOXELS = 8
LABEL_THRESHOLD = 0.5


@dataclass(frozen=True)
class Lesion:
    """One lesion.

    Attributes
    ----------
    volume_ml
        Volume inside the brain.
    surfaces
        The main body and its lobules, united.
    infiltration, infiltration_scale_mm, infiltration_seed
        Strength (in units of the radius), size and seed of the border's irregularity.
    csf_avoidance
        How strongly the border keeps out of CSF, in units of the radius.
    core, core_fraction
        Surface of the core and its share of the lesion's volume, or None and 0.
    core_open
        Whether the core may reach the lesion's border; otherwise a rim closes around it.
    look
        Its brightness.
    """

    volume_ml: float
    surfaces: tuple[Surface, ...]
    infiltration: float
    infiltration_scale_mm: float
    infiltration_seed: int
    csf_avoidance: float
    core: Surface | None
    core_fraction: float
    core_open: bool
    look: Appearance


@dataclass(frozen=True)
class TumourParams:
    """The lesions of one sample; none for a tumour-free one.

    ``purpose`` is ``"train"`` or ``"shifted"`` (see :func:`stage_one.render`), ``csf`` tells
    whether CSF is dark or bright in this contrast.
    """

    purpose: str
    lesions: tuple[Lesion, ...]
    csf: str
    preset: str = "default"


def sample_tumour(
    rng: np.random.Generator,
    image: NDArray,
    brain: NDArray,
    spacing: Spacing,
    priors: Priors,
    purpose: str,
    placement: NDArray | None = None,
) -> TumourParams:
    """Draw the parameters of one sample from the priors.

    Some training samples stay tumour-free; shifted-validation samples, which are scored, do not.
    """
    tumour_free = rng.random() < priors.tumour_free_fraction
    if tumour_free and purpose == "train":
        return TumourParams(purpose, (), priors.csf)
    normal = normal_intensity(image, brain)
    count = 1 + int(rng.choice(len(priors.count_probabilities), p=priors.count_probabilities))
    # Half of the brain is the most that any tumour takes.
    ceiling = 0.5 * float(np.count_nonzero(brain)) * float(np.prod(spacing)) / 1000
    first = min(priors.volume_ml.draw(rng), ceiling)
    hyper = bool(rng.random() < priors.hyper_probability)
    lesions = []
    for number in range(count):
        fraction = priors.further_volume_fraction.draw(rng) if number else 1.0
        place = tissue_voxel(rng, image, brain, spacing, normal, priors.csf, placement)
        lesions.append(_draw_lesion(rng, priors, first * fraction, to_mm(place, spacing), hyper))
    return TumourParams(purpose, tuple(lesions), priors.csf)


def render_tumour(
    image: NDArray, brain: NDArray, spacing: Spacing, params: TumourParams
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Put the lesions into a copy of the image; see :func:`stage_one.render`."""
    out = np.array(image, dtype=np.float32)
    label = np.zeros(image.shape, dtype=np.uint8)
    normal = normal_intensity(image, brain)
    for lesion in params.lesions:
        look = lesion.look
        rim = margin(in_voxels(look.edge_mm, spacing))
        box, whole, depth = _body(lesion, image, brain, spacing, normal, params.csf, rim)
        if box.empty:
            continue
        here = brain[box.slices]
        core = _core(lesion, whole, depth, box, spacing)
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


# ------------------------------------------------------------------------------------- drawing


def _draw_lesion(
    rng: np.random.Generator, priors: Priors, volume_ml: float, centre_mm: Triple, hyper: bool
) -> Lesion:
    radius = sphere_radius_mm(volume_ml)
    noise = priors.surface_noise.draw(rng)
    main = _draw_surface(rng, priors, radius, centre_mm, noise)
    surfaces = [main]
    lobules = int(rng.choice(len(priors.lobule_probabilities), p=priors.lobule_probabilities))
    for _ in range(lobules):
        place = _near(rng, centre_mm, rng.uniform(0.5, 1.1) * radius)
        surfaces.append(_draw_surface(rng, priors, radius * rng.uniform(0.4, 0.8), place, noise))

    kind = _pick_core(rng, priors.cores)
    core = None
    core_open = bool(rng.random() < priors.open_core_probability)
    if kind is not None:
        place = _near(rng, centre_mm, rng.uniform(0, 0.9 if core_open else 0.5) * radius)
        core = _draw_surface(rng, priors, radius, place, noise)
    halo = bool(rng.random() < priors.halo_probability)
    look = Appearance(
        gain=(priors.hyper_gain if hyper else priors.hypo_gain).draw(rng),
        anatomy=priors.anatomy.draw(rng),
        residual_texture=priors.residual_texture.draw(rng),
        texture_amplitude=priors.texture_amplitude.draw(rng),
        texture_scale_mm=priors.texture_scale_mm.draw(rng),
        texture_seed=int(rng.integers(2**31)),
        halo_gain=priors.halo_gain.draw(rng) if halo else 1.0,
        halo_depth=priors.halo_depth.draw(rng),
        core_gain=kind.gain.draw(rng) if kind else 1.0,
        core_edge_mm=priors.core_edge_mm.draw(rng),
        edge_mm=priors.edge_mm.draw(rng),
    )
    return Lesion(
        volume_ml=volume_ml,
        surfaces=tuple(surfaces),
        infiltration=priors.infiltration.draw(rng),
        infiltration_scale_mm=priors.infiltration_scale_mm.draw(rng),
        infiltration_seed=int(rng.integers(2**31)),
        csf_avoidance=priors.csf_avoidance.draw(rng),
        core=core,
        core_fraction=kind.fraction.draw(rng) if kind else 0.0,
        core_open=core_open,
        look=look,
    )


def _draw_surface(
    rng: np.random.Generator, priors: Priors, radius: float, centre_mm: Triple, noise: float
) -> Surface:
    ratio = priors.elongation.draw(rng)
    a, b, c = (float(angle) for angle in rng.uniform(0, 360, 3))
    x, y, z = (float(offset) for offset in rng.uniform(0, 256, 3))
    radii = (radius, radius * ratio, radius / ratio)
    return Surface(centre_mm, radii, (a, b, c), (x, y, z), amplitude=noise)


def _near(rng: np.random.Generator, centre_mm: Triple, distance: float) -> Triple:
    """Return a point at `distance` mm in a random direction."""
    direction = rng.standard_normal(3)
    direction /= np.linalg.norm(direction)
    x, y, z = (float(c + distance * d) for c, d in zip(centre_mm, direction, strict=True))
    return x, y, z


def _pick_core(rng: np.random.Generator, kinds: tuple[CoreKind, ...]) -> CoreKind | None:
    pick = rng.random()
    for kind in kinds:
        pick -= kind.probability
        if pick < 0:
            return kind
    return None


# ----------------------------------------------------------------------------------- rendering


def _body(
    lesion: Lesion,
    image: NDArray,
    brain: NDArray,
    spacing: Spacing,
    normal: float,
    csf: str,
    rim: tuple[int, int, int],
) -> tuple[Box, NDArray, NDArray]:
    """Box around the lesion with a rim for blending; mask and depth (0 border, 1 centre) over it.

    The border follows the level of the united surfaces, moved inwards in CSF and to and fro by
    noise, at the height that gives the lesion its volume.
    """
    box, level = _union(lesion.surfaces, spacing, brain.shape)
    here = brain[box.slices]
    level += np.float32(lesion.csf_avoidance) * _fluid(image[box.slices], normal, csf)
    if lesion.infiltration > 0:
        wobble = texture(
            box.axes_mm(spacing), lesion.infiltration_seed, lesion.infiltration_scale_mm
        )
        # Nothing at the centre, all of it at the border.
        level += np.float32(lesion.infiltration) * np.clip(wobble, -2, 2) * np.minimum(level, 1)
    level[~here] = np.inf
    candidates = level[level < REACH]
    wanted = max(round(lesion.volume_ml * 1000 / float(np.prod(spacing))), MIN_VOXELS)
    height = REACH
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
        own = Box(start, stop).within(target)  # type: ignore[arg-type]
        mask[own] = whole[tight.slices]
        depth[own] = np.clip(1 - level[tight.slices] / np.float32(height), 0, 1)
    return target, mask, depth


def _union(
    surfaces: tuple[Surface, ...], spacing: Spacing, shape: tuple[int, ...]
) -> tuple[Box, NDArray]:
    """Box of the united surfaces, and how far out each of its voxels lies."""
    boxes = [level_box(surface, spacing, shape, REACH) for surface in surfaces]
    box = Box(
        tuple(np.min([b.start for b in boxes], axis=0).tolist()),
        tuple(np.max([b.stop for b in boxes], axis=0).tolist()),
    )
    level = np.full(box.shape, np.inf, dtype=np.float32)
    for surface, own in zip(surfaces, boxes, strict=True):
        part = level[own.within(box)]
        np.minimum(part, levels(surface, own, spacing), out=part)
    return box, level


def _fluid(image: NDArray, normal: float, csf: str) -> NDArray:
    """How much each voxel looks like CSF, 0 to 1."""
    if csf == "dark":
        return np.clip((0.75 * normal - image) / (0.5 * normal), 0, 1).astype(np.float32)
    return np.clip((image - 1.5 * normal) / (0.5 * normal), 0, 1).astype(np.float32)


def _core(
    lesion: Lesion, whole: NDArray, depth: NDArray, box: Box, spacing: Spacing
) -> NDArray | None:
    """Core mask: the part of the lesion nearest the core's centre.

    A closed core also keeps away from the lesion's border.
    """
    if lesion.core is None:
        return None
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
