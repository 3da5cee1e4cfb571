"""What a default stage-1 tumour is made of, drawn from priors: lesions, their cores and looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .appearance import Appearance, normal_intensity
from .boxes import Spacing
from .places import tissue_voxel, to_mm
from .priors import Priors
from .ranges import CoreKind
from .shape import Surface, Triple, sphere_radius_mm

MASS_NOISE = 0.4  # a mass is rounder than what spreads from it


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
    csf_avoidance, grey_avoidance
        How strongly the border keeps out of CSF and of what is not white matter, in units of the
        radius.
    core, core_fraction
        Surface of the core and its share of the lesion's volume, or None and 0.
    core_form
        ``"inner"``: the part of the lesion nearest the core's centre. ``"mass"``: all within the
        core's surface, which belongs to the lesion; the rest is what spreads from it.
    core_open
        Whether an inner core may reach the lesion's border; otherwise a rim closes around it.
    look
        Its brightness.
    """

    volume_ml: float
    surfaces: tuple[Surface, ...]
    infiltration: float
    infiltration_scale_mm: float
    infiltration_seed: int
    csf_avoidance: float
    grey_avoidance: float
    core: Surface | None
    core_fraction: float
    core_form: str
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
    image: NDArray[Any],
    brain: NDArray[Any],
    spacing: Spacing,
    priors: Priors,
    purpose: str,
    placement: NDArray[Any] | None = None,
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
    core_fraction = kind.fraction.draw(rng) if kind else 0.0
    if kind is not None and kind.form == "mass":
        place = _near(rng, centre_mm, rng.uniform(0, 1) * radius)
        own = sphere_radius_mm(volume_ml * core_fraction)
        core = _draw_surface(rng, priors, own, place, MASS_NOISE * noise)
    elif kind is not None:
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
        core_smoothness=priors.core_smoothness.draw(rng),
        edge_mm=priors.edge_mm.draw(rng),
    )
    return Lesion(
        volume_ml=volume_ml,
        surfaces=tuple(surfaces),
        infiltration=priors.infiltration.draw(rng),
        infiltration_scale_mm=priors.infiltration_scale_mm.draw(rng),
        infiltration_seed=int(rng.integers(2**31)),
        csf_avoidance=priors.csf_avoidance.draw(rng),
        grey_avoidance=priors.grey_avoidance.draw(rng),
        core=core,
        core_fraction=core_fraction,
        core_form=kind.form if kind else "inner",
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
