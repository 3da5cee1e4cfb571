"""Oedema follows white matter, spares cortex and fluid, and stays where dura lets it.

Falx and tentorium hold it; across the midline it gets by the corpus callosum alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from synthtumour_bids.ingredients.atlas import Atlas
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.geometry import Mask
from synthtumour_bids.synthesis.lesion import Lesion
from synthtumour_bids.synthesis.ranges import Range

GREY_AVOIDANCE = Range(0.5, 1.3)  # radii; cortex is spared, if not by every tumour
CSF_AVOIDANCE = Range(0.6, 1.6)  # radii; ventricles and sulci bound it
INFILTRATION = Range(0.02, 0.14)  # radii; tracts make the front, not noise
INFILTRATION_MM = Range(7.0, 16.0)
CROSSING_SHARE = 0.12  # of tumours; the butterfly is known, and rare
OVERLAP_MM = 1.5  # how far beyond the plane x = 0 one side reaches: heads are not straight
CALLOSUM_MM = 9.0  # thickness of the bridge over the ventricles' roofs, with the cingulum's base
BEYOND_MM = 32.0  # from the midline to where crossing oedema ends


@dataclass(frozen=True)
class Oedema:
    """How oedema spreads: see :class:`.lesion.Lesion`, and whether it may cross the midline."""

    grey_avoidance: float
    csf_avoidance: float
    infiltration: float
    infiltration_scale_mm: float
    crosses: bool


def sample(rng: np.random.Generator) -> Oedema:
    """Draw how oedema spreads."""
    return Oedema(
        GREY_AVOIDANCE.draw(rng),
        CSF_AVOIDANCE.draw(rng),
        INFILTRATION.draw(rng),
        INFILTRATION_MM.draw(rng),
        bool(rng.random() < CROSSING_SHARE),
    )


def shape(lesion: Lesion, params: Oedema) -> Lesion:
    """Let a lesion spread so."""
    return replace(
        lesion,
        grey_avoidance=params.grey_avoidance,
        csf_avoidance=params.csf_avoidance,
        infiltration=params.infiltration,
        infiltration_scale_mm=params.infiltration_scale_mm,
    )


def territory(lesion: Lesion, host: Brain, atlas: Atlas, params: Oedema) -> Mask:
    """Part of the brain that a lesion may spread in.

    Parameters
    ----------
    lesion
        Its centre tells on which side of the dura it began.
    host, atlas
        The brain and its grid.
    params
        From :func:`sample`.

    Returns
    -------
    ndarray of bool
        (X, Y, Z).
    """
    centre = lesion.surfaces[0].centre_mm
    voxel = tuple(round(mm / size) for mm, size in zip(centre, host.spacing, strict=True))
    if atlas.cerebrum[voxel] < 0.5:
        return np.asarray(host.mask & (atlas.cerebrum < 0.7))
    right = atlas.axes(atlas.whole)[0].astype(np.float32)[:, None, None]
    side = 1 if atlas.origin[0] + centre[0] > 0 else -1
    allowed = host.mask & (atlas.cerebrum > 0.3) & (side * right > -OVERLAP_MM)
    if params.crosses:
        middle, _, height = atlas.places(atlas.whole)
        roof = (atlas.ventricle_distance > -1) & (atlas.ventricle_distance < CALLOSUM_MM)
        bridge = roof & (height > 4) & (middle < BEYOND_MM)
        allowed |= host.mask & bridge
    return np.asarray(allowed)
