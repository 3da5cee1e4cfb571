"""What a default stage-1 tumour is made of, drawn from priors: lesions, their cores and looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .appearance import Appearance
from .brain import Brain
from .geometry import Triple, triple
from .places import tissue_voxel, to_mm
from .priors import Priors
from .purpose import Purpose
from .ranges import CoreForm, CoreKind, Csf
from .shape import Surface, sphere_radius_mm

MASS_NOISE = 0.4  # a mass is rounder than what spreads from it
SOFTEST_EDGE = 1 / 3  # of the radius: a softer lesion would be seen and bear no label


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
    core_form: CoreForm
    core_open: bool
    look: Appearance

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Lesion:
        """Rebuild from what ``dataclasses.asdict`` gave, possibly through a file."""
        parts = {
            "surfaces": tuple(Surface.from_json(surface) for surface in data["surfaces"]),
            "core": Surface.from_json(data["core"]) if data["core"] else None,
            "look": Appearance(**data["look"]),
        }
        return cls(**{**data, **parts})


@dataclass(frozen=True)
class TumourParams:
    """One of our tumours.

    Attributes
    ----------
    purpose
        Which intensity model shows it.
    lesions
        None for a tumour-free sample.
    csf
        Whether CSF is dark or bright in this contrast.
    preset
        Tells these parameters from those of another sampler.
    """

    purpose: Purpose
    lesions: tuple[Lesion, ...]
    csf: Csf
    preset: Literal["default"] = "default"

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TumourParams:
        """Rebuild from what ``dataclasses.asdict`` gave, possibly through a file."""
        lesions = tuple(Lesion.from_json(lesion) for lesion in data["lesions"])
        return cls(Purpose(data["purpose"]), lesions, data["csf"])


def sample_tumour(
    rng: np.random.Generator, host: Brain, priors: Priors, purpose: Purpose = Purpose.TRAIN
) -> TumourParams:
    """Draw the parameters of one sample from the priors.

    Some training samples stay tumour-free; shifted-validation samples, which are scored, do not.

    Parameters
    ----------
    rng
        Any generator; :func:`.seeds.stream` gives reproducible ones.
    host
        A tumour-free brain, to which sizes and places are fitted.
    priors
        What to draw from.
    purpose
        What the sample is for.

    Returns
    -------
    TumourParams

    Raises
    ------
    ValueError
        If the brain mask is empty or the purpose unknown.
    """
    purpose = Purpose(purpose)
    tumour_free = rng.random() < priors.tumour_free_fraction
    if tumour_free and purpose is Purpose.TRAIN:
        return TumourParams(purpose, (), priors.csf)
    count = 1 + int(rng.choice(len(priors.count_probabilities), p=priors.count_probabilities))
    # Half of the brain is the most that any tumour takes.
    ceiling = 0.5 * float(np.count_nonzero(host.mask)) * float(np.prod(host.spacing)) / 1000
    first = min(priors.volume_ml.draw(rng), ceiling)
    hyper = bool(rng.random() < priors.hyper_probability)
    lesions = []
    for number in range(count):
        fraction = priors.further_volume_fraction.draw(rng) if number else 1.0
        place = tissue_voxel(
            rng, host.image, host.mask, host.spacing, host.normal, priors.csf, host.placement
        )
        centre = to_mm(place, host.spacing)
        lesions.append(_draw_lesion(rng, priors, first * fraction, centre, hyper))
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
        edge_mm=min(priors.edge_mm.draw(rng), SOFTEST_EDGE * radius),
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
    angles = triple(float(angle) for angle in rng.uniform(0, 360, 3))
    offset = triple(float(shift) for shift in rng.uniform(0, 256, 3))
    radii = (radius, radius * ratio, radius / ratio)
    return Surface(centre_mm, radii, angles, offset, amplitude=noise)


def _near(rng: np.random.Generator, centre_mm: Triple, distance: float) -> Triple:
    """Return a point at `distance` mm in a random direction."""
    direction = rng.standard_normal(3)
    direction /= np.linalg.norm(direction)
    return triple(float(c + distance * d) for c, d in zip(centre_mm, direction, strict=True))


def _pick_core(rng: np.random.Generator, kinds: tuple[CoreKind, ...]) -> CoreKind | None:
    pick = rng.random()
    for kind in kinds:
        pick -= kind.probability
        if pick < 0:
            return kind
    return None
