"""The sampler: a tumour, or none, in a host, with the ingredients that are asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.errors import UsageError
from synthtumour_bids.ingredients import (
    choroid,
    hyperintensities,
    lost_slices,
    mass_effect,
    motion,
    necrosis,
    oedema,
    remnants,
    rims,
    shading,
    solid,
    tumour,
)
from synthtumour_bids.ingredients.atlas import Atlas
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.lesion import TumourParams, sample_tumour
from synthtumour_bids.synthesis.priors import Priors
from synthtumour_bids.synthesis.purpose import Purpose
from synthtumour_bids.synthesis.seeds import stream

VERSION = "1"  # changes when the same numbers give other samples

Draw = Callable[[np.random.Generator], Any]
Render = Callable[[Brain, Atlas, Any], Brain]
CUES: Mapping[str, Draw] = {
    "mass-effect": mass_effect.sample,
    "solid": solid.sample,
    "necrosis": necrosis.sample,
    "oedema": oedema.sample,
}
BEFORE: Mapping[str, tuple[Draw, Render]] = {  # the tumour comes
    "hyperintensities": (hyperintensities.sample, hyperintensities.render),
    "choroid": (choroid.sample, choroid.render),
    "rims": (rims.sample, rims.render),
}
AFTER: Mapping[str, tuple[Draw, Render]] = {
    "remnants": (remnants.sample, remnants.render),
    "shading": (shading.sample, shading.render),
    "motion": (motion.sample, motion.render),
    "lost-slices": (lost_slices.sample, lost_slices.render),
}
DISTRACTORS = {**BEFORE, **AFTER}
INGREDIENTS = (*CUES, *DISTRACTORS)


@dataclass(frozen=True)
class Mix:
    """Everything that one sample is made from.

    Attributes
    ----------
    tumour
        Without a lesion where the sample is tumour-free.
    parts
        Parameters of the ingredients that this sample has, by name.
    """

    tumour: TumourParams
    parts: Mapping[str, Any]


def sample(
    rng: np.random.Generator,
    host: Brain,
    priors: Priors,
    ingredients: Collection[str],
    *,
    tumour_free: bool = False,
) -> Mix:
    """Draw one training sample.

    The tumour is the one that :func:`.lesion.sample_tumour` would draw, and no ingredient changes
    what another one draws.

    Parameters
    ----------
    rng
        Any generator.
    host
        A tumour-free brain.
    priors
        What tumours look like.
    ingredients
        Of :data:`INGREDIENTS`.
    tumour_free
        Whether the host stays without tumour.

    Raises
    ------
    UsageError
        If there is no such ingredient.
    """
    drawn = TumourParams(Purpose.TRAIN, (), priors.csf)
    if not tumour_free:
        drawn = sample_tumour(rng, host, priors)
    seed = int(rng.integers(2**31)) if ingredients else 0
    draws = {**CUES, **{name: draw for name, (draw, _) in DISTRACTORS.items()}}
    parts = {name: draws[name](stream(seed, name)) for name in in_order(ingredients)}
    return Mix(drawn, {name: params for name, params in parts.items() if params is not None})


def render(host: Brain, atlas: Atlas, mix: Mix) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Make the sample; the same parameters give the same bytes.

    Parameters
    ----------
    host
        The brain that the mix was drawn for.
    atlas
        The host's grid.
    mix
        From :func:`sample`.

    Returns
    -------
    image : ndarray of float32
        (X, Y, Z), the host's intensity scale.
    label : ndarray of uint8
        (X, Y, Z), 1 in the tumour and nowhere else.
    """
    cues = tumour.Cues(**{n.replace("-", "_"): mix.parts[n] for n in CUES if n in mix.parts})
    for name, (_, put) in BEFORE.items():
        if name in mix.parts:
            host = put(host, atlas, mix.parts[name])
    image, label = tumour.render(host, atlas, mix.tumour, cues)
    if not AFTER.keys() & mix.parts.keys():
        return image, label
    scan = replace(host, image=image)
    for name, (_, put) in AFTER.items():
        if name in mix.parts:
            scan = put(scan, atlas, mix.parts[name])
    return np.asarray(scan.image, dtype=np.float32), label


def in_order(names: Collection[str]) -> tuple[str, ...]:
    """Each of these ingredients once, in the order in which they are mixed.

    Raises
    ------
    UsageError
        If there is no such ingredient.
    """
    unknown = sorted(set(names) - set(INGREDIENTS))
    if unknown:
        raise UsageError(
            f"There is no ingredient {', '.join(unknown)}; there are {', '.join(INGREDIENTS)}."
        )
    return tuple(name for name in INGREDIENTS if name in names)
