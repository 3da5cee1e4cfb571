"""White-matter hyperintensities of every degree: caps, bands, confluent fields, dots.

On both sides, sharp towards the cortex, around ventricles that are wide rather than pressed: what
tells them from tumour. Ranges are those of simulated heads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthtumour_bids.ingredients.atlas import Atlas
from synthtumour_bids.simulation import ranges
from synthtumour_bids.simulation.fields import smooth_step
from synthtumour_bids.simulation.hyperintensities import (
    FRONTAL_HORN,
    OCCIPITAL_HORN,
    Hyperintensities,
    sample_hyperintensities,
)
from synthtumour_bids.simulation.places import between, blob
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.geometry import Box
from synthtumour_bids.synthesis.noise import texture

SHARE = 0.35  # of the hosts; most of the old have some
AGE = (0.35, 1.0)  # of simulated heads, from few dots to confluent
LOW, HIGH = (-52.0, -96.0, -18.0), (52.0, 66.0, 58.0)  # mm, MNI: holds deep white matter
NEAR_MM = 14.0  # from the average ventricle to where a host's own may reach
THINNING_MM = 4.0  # of the map of distances, which is smooth
CORTEX_MM = (5.0, 9.0)  # below the surface, over which they end


@dataclass(frozen=True)
class WhiteMatter:
    """What is bright in white matter, and the seed of its shapes."""

    bright: Hyperintensities
    seed: int


def sample(rng: np.random.Generator) -> WhiteMatter | None:
    """Draw hyperintensities, or none."""
    if rng.random() >= SHARE:
        return None
    return WhiteMatter(sample_hyperintensities(rng, rng.uniform(*AGE)), int(rng.integers(2**31)))


def render(host: Brain, atlas: Atlas, params: WhiteMatter) -> Brain:
    """Brighten a host's white matter.

    Parameters
    ----------
    host, atlas
        The brain and its grid.
    params
        From :func:`sample`.

    Returns
    -------
    Brain
        With another image.
    """
    bright, box = params.bright, atlas.box(LOW, HIGH)
    here, at, normal = box.slices, atlas.places(box), np.float32(host.normal)
    image = np.array(host.image, dtype=np.float32)
    values = image[here]
    distance = _ventricle_distance(host, atlas, box)
    white = smooth_step(values / normal, 0.6, 0.85) * host.mask[here]
    if host.white_matter is not None:
        white = white * smooth_step(host.white_matter[here], 0.2, 0.6)
    white = white * smooth_step(atlas.depth[here], *CORTEX_MM) * atlas.cerebrum[here]

    wide, fine = (_two_sided(atlas, box, params, mm) for mm in (24.0, 10.0))
    reach = bright.band * smooth_step(at[2], 0, 14)
    reach = reach + bright.frontal * blob(at, FRONTAL_HORN, 13)
    reach = reach + bright.occipital * blob(at, OCCIPITAL_HORN, 17)
    reach = reach * np.clip(1 + 0.35 * wide + 0.2 * fine, 0.2, None)
    alpha = (1 - smooth_step(distance - reach, -bright.edge, bright.edge)) * (reach > 0.5)
    centrum = between(at[0], 17, 33) * between(at[1], -52, 26) * between(at[2], 26, 46)
    rising = 0.6 * wide + 0.8 * fine + 1.6 * centrum
    step = 2.9 - 2.6 * bright.burden
    alpha = np.maximum(alpha, smooth_step(rising, step, step + 0.7) * smooth_step(at[2], 14, 26))
    alpha = np.maximum(alpha, _dots(white, distance, atlas, params)) * white
    pale = bright.pallor * (1 - smooth_step(distance - 2 * reach - 3, 0, 9)) * white
    values = values * (1 + pale)
    values += np.maximum(np.float32(bright.signal) * normal * (1 + 0.08 * fine) - values, 0) * alpha
    image[here] = values
    return replace(host, image=image)


def _ventricle_distance(host: Brain, atlas: Atlas, box: Box) -> NDArray[np.float32]:
    """Distance to the host's own ventricles over a box, mm; to average ones if none are seen."""
    average = atlas.ventricle_distance[box.slices]
    steps = [max(1, round(THINNING_MM / size)) for size in host.spacing]
    thin = tuple(slice(None, None, step) for step in steps)
    dark = host.image[box.slices][thin] < 0.6 * host.normal
    dark &= host.mask[box.slices][thin] & (average[thin] < NEAR_MM)
    if np.count_nonzero(dark & (average[thin] < 2)) < 8:
        return average
    size = np.multiply(steps, host.spacing)
    coarse = ndimage.distance_transform_edt(~dark, sampling=size) - THINNING_MM / 2
    for axis, (step, n) in enumerate(zip(steps, box.shape, strict=True)):
        coarse = _stretched(coarse, axis, step, n)
    distance: NDArray[np.float32] = coarse.astype(np.float32)
    return distance


def _stretched(values: NDArray[np.floating], axis: int, step: int, n: int) -> NDArray[np.floating]:
    """Interpolate every `step`-th value along an axis to all `n`."""
    position = np.minimum(np.arange(n) / step, values.shape[axis] - 1)
    below = position.astype(int)
    above = np.minimum(below + 1, values.shape[axis] - 1)
    share = (position - below).reshape([-1 if a == axis else 1 for a in range(3)])
    low, high = (np.take(values, index, axis) for index in (below, above))
    stretched: NDArray[np.floating] = low + share * (high - low)
    return stretched


def _two_sided(atlas: Atlas, box: Box, params: WhiteMatter, mm: float) -> NDArray[np.float32]:
    """Smooth random field of about unit variance, alike on both sides or not."""
    x, y, z = atlas.axes(box)
    share = params.bright.asymmetry
    seed = params.seed + round(mm)
    mirrored = texture((np.abs(x), y, z), seed, mm)
    own = texture((x + 500.0, y, z), seed, mm)
    mixed = np.float32(1 - share) * mirrored + np.float32(share) * own
    mixed /= np.float32(np.hypot(1 - share, share))
    return mixed


def _dots(
    white: NDArray[np.floating],
    distance: NDArray[np.floating],
    atlas: Atlas,
    params: WhiteMatter,
) -> NDArray[np.float32]:
    """Dots in deep white matter, in [0, 1]."""
    rng = np.random.default_rng(params.seed)
    dots = np.zeros(white.shape, np.float32)
    candidates = np.flatnonzero((white > 0.8) & (distance > 4))
    if not candidates.size:
        return dots
    for index in rng.choice(candidates, params.bright.dots + params.bright.plaques):
        centre = np.unravel_index(index, white.shape)
        radius = ranges.DOT_RADIUS.draw(rng)
        near = tuple(
            slice(max(c - int(2 * radius / size) - 1, 0), c + int(2 * radius / size) + 2)
            for c, size in zip(centre, atlas.spacing, strict=True)
        )
        part = dots[near]
        offsets = np.indices(part.shape).T + [s.start for s in near] - np.array(centre)
        away = np.sqrt(((offsets * atlas.spacing) ** 2).sum(-1)).T
        np.maximum(part, 1 - smooth_step(away, 0.5 * radius, 1.5 * radius), out=part)
    return dots
