"""The published stage-1 procedure, parameter by parameter.

Mended only where it would fail: the filters' widths, published in voxels of scans of about 1 mm,
are taken in mm; the nested lesion, which only the two-level intensity model shows, is drawn only
for it; a lesion too small for the grid is drawn again. Its other properties are kept as they are:
the blur darkens near the brain's surface, the training label is the soft mask above 0.1 and may
reach a voxel or two beyond the brain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .brain import Brain
from .filters import gaussian, in_voxels, margin
from .geometry import Box, Mask, Spacing, Triple, box_of, largest_component, triple
from .places import random_voxel, to_mm
from .priors import Priors
from .purpose import Purpose
from .shape import Surface, level_box, levels, sphere_radius_mm

VOLUME_ML = (20.0, 80.0)
RADII_RATIO = (1.0, 2.0)
NOISE_OFFSETS = 1000  # whole numbers, the same along the three axes
GAIN = (1.5, 5.0)
CORE_GAIN = (0.8, 1.2)
TWO_LEVEL_PROBABILITY = 0.1
BLUR_MM = 5.0
SOFT_MM = 1.0
LABEL_THRESHOLD = 0.1


@dataclass(frozen=True)
class PublishedParams:
    """One published tumour.

    Attributes
    ----------
    purpose
        For training: blurred brain times gain, soft edge, label above 0.1 of the soft mask.
        Shifted: raw brain times gain, hard edge, exact label.
    whole
        The tumour's surface.
    gain
        Factor inside the tumour.
    core, core_gain
        Surface and factor of the nested lesion in the two-level model, else None and 1.
    preset
        Tells these parameters from those of another sampler.
    """

    purpose: Purpose
    whole: Surface
    gain: float
    core: Surface | None = None
    core_gain: float = 1.0
    preset: Literal["reference"] = "reference"

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PublishedParams:
        """Rebuild from what ``dataclasses.asdict`` gave, possibly through a file."""
        return cls(
            purpose=Purpose(data["purpose"]),
            whole=Surface.from_json(data["whole"]),
            gain=data["gain"],
            core=Surface.from_json(data["core"]) if data["core"] else None,
            core_gain=data["core_gain"],
        )


def sample_published(
    rng: np.random.Generator, host: Brain, priors: Priors, purpose: Purpose = Purpose.TRAIN
) -> PublishedParams:
    """Draw the parameters of one tumour.

    V ~ U(20, 80) mL, r = (3V / 4 pi)^(1/3), semi-axes (r, rq, r/q) with q ~ U(1, 2), Euler angles
    ~ U(0, 360), centre uniform in the brain, noise read at (p + k) / 3 with k ~ {0 .. 999}; gain
    ~ U(1.5, 5); with probability 0.1 a nested lesion, centred in the first, of factor U(0.8, 1.2).

    Parameters
    ----------
    rng
        Any generator; :func:`.seeds.stream` gives reproducible ones.
    host
        A tumour-free brain.
    priors
        Not read: the published numbers are fixed.
    purpose
        What the sample is for.

    Returns
    -------
    PublishedParams

    Raises
    ------
    ValueError
        If the brain mask is empty, or no such tumour fits into it, or the purpose is unknown.
    """
    purpose, brain, spacing = Purpose(purpose), host.mask, host.spacing
    for _ in range(20):
        whole = _draw_surface(rng, to_mm(random_voxel(rng, brain), spacing))
        gain = float(rng.uniform(*GAIN))
        two_level = bool(rng.random() < TWO_LEVEL_PROBABILITY)
        core_gain = float(rng.uniform(*CORE_GAIN)) if two_level else 1.0
        box = level_box(whole, spacing, brain.shape)
        mask = _rasterise(whole, box, brain[box.slices], spacing)
        if not mask.any():
            continue
        core = None
        if two_level:
            local = random_voxel(rng, mask)
            place = triple(a + b for a, b in zip(local, box.start, strict=True))
            core = _draw_surface(rng, to_mm(place, spacing))
        return PublishedParams(purpose, whole, gain, core, core_gain)
    raise ValueError(
        f"No tumour of {VOLUME_ML[0]:g}-{VOLUME_ML[1]:g} mL fits this brain mask of "
        f"{int(brain.sum())} voxels; the mask is broken."
    )


def render_published(
    host: Brain, params: PublishedParams
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Put the tumour into a copy of the image.

    Parameters
    ----------
    host
        The brain that the parameters were drawn for.
    params
        From :func:`sample_published`.

    Returns
    -------
    image : ndarray of float32
        (X, Y, Z), the host's intensity scale.
    label : ndarray of uint8
        (X, Y, Z), 1 in the tumour.
    """
    image, brain, spacing = host.image, host.mask, host.spacing
    out = np.array(image, dtype=np.float32)
    label = np.zeros(image.shape, dtype=np.uint8)
    box = level_box(params.whole, spacing, brain.shape)
    whole = _rasterise(params.whole, box, brain[box.slices], spacing)
    layers = [(whole, params.gain)]
    if params.core is not None:
        layers.append((_rasterise(params.core, box, whole, spacing), params.core_gain))

    if params.purpose is Purpose.SHIFTED:
        for mask, gain in layers:
            out[box.slices][mask] = image[box.slices][mask] * np.float32(gain)
        label[box.slices] = whole
        return out, label

    soft_sigma = in_voxels(SOFT_MM, spacing)
    target = box.grown(margin(soft_sigma), image.shape)
    blur_sigma = in_voxels(BLUR_MM, spacing)
    source = target.grown(margin(blur_sigma), image.shape)
    blurred = gaussian(image[source.slices], source, target, blur_sigma)
    region = out[target.slices]
    for mask, gain in layers:
        soft = gaussian(mask, box, target, soft_sigma)
        region += soft * (np.float32(gain) * blurred - region)
        if mask is whole:
            label[target.slices] = soft > LABEL_THRESHOLD
    return out, label


def _draw_surface(rng: np.random.Generator, centre_mm: Triple) -> Surface:
    radius = sphere_radius_mm(rng.uniform(*VOLUME_ML))
    ratio = float(rng.uniform(*RADII_RATIO))
    angles = triple(float(angle) for angle in rng.uniform(0, 360, 3))
    k = float(rng.integers(NOISE_OFFSETS))
    radii = (radius, radius * ratio, radius / ratio)
    return Surface(centre_mm, radii, angles, (k, k, k))


def _rasterise(surface: Surface, box: Box, allowed: Mask, spacing: Spacing) -> Mask:
    """Largest component of the surface's inside within `allowed`, over the box."""
    mask = np.zeros(box.shape, dtype=bool)
    if not box.empty:
        own = box_of(allowed)
        if not own.empty:
            # Evaluate only where something is allowed at all.
            inside = levels(surface, own.moved(box.start), spacing) < 1
            mask[own.slices] = largest_component(inside & allowed[own.slices])
    return mask
