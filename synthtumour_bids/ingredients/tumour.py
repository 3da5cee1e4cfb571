"""A stage-1 tumour with the cues that are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.ingredients import mass_effect, necrosis, oedema, solid
from synthtumour_bids.ingredients.atlas import Atlas
from synthtumour_bids.synthesis.bodies import bodies
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.geometry import Mask
from synthtumour_bids.synthesis.lesion import Lesion, TumourParams
from synthtumour_bids.synthesis.tumour import blend, brightness


@dataclass(frozen=True)
class Cues:
    """Cues of one tumour; None for each that it does without."""

    mass_effect: mass_effect.MassEffect | None = None
    solid: solid.Solid | None = None
    necrosis: necrosis.Necrosis | None = None
    oedema: oedema.Oedema | None = None


def shape(tumour: TumourParams, cues: Cues) -> TumourParams:
    """Change lesions as the cues ask for."""
    lesions = tumour.lesions
    if cues.oedema is not None:
        lesions = tuple(oedema.shape(lesion, cues.oedema) for lesion in lesions)
    if cues.solid is not None:
        lesions = tuple(solid.shape(lesion, cues.solid) for lesion in lesions)
    if cues.mass_effect is not None:
        lesions = tuple(mass_effect.shape(lesion, cues.mass_effect) for lesion in lesions)
    return replace(tumour, lesions=lesions)


def render(
    host: Brain, atlas: Atlas, tumour: TumourParams, cues: Cues
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Put a tumour with its cues into a scan.

    Parameters
    ----------
    host, atlas
        The brain that the tumour was drawn for, and its grid.
    tumour
        From :func:`.lesion.sample_tumour`.
    cues
        What else is to be seen of it.

    Returns
    -------
    image : ndarray of float32
        (X, Y, Z), a copy.
    label : ndarray of uint8
        (X, Y, Z), 1 in the tumour.
    """
    image = np.array(host.image, dtype=np.float32)
    label = np.zeros(image.shape, dtype=np.uint8)
    pressing = np.zeros(image.shape, dtype=np.float32)
    spread, csf = cues.oedema, tumour.csf
    territory: Callable[[Lesion], Mask] | None = None
    if spread is not None:

        def territory(lesion: Lesion) -> Mask:
            return oedema.territory(lesion, host, atlas, spread)

    for body in bodies(host, shape(tumour, cues), territory):
        bright = brightness(body, host)
        if cues.solid is not None:
            bright = solid.paint(bright, body, host, csf, cues.solid)
        if cues.necrosis is not None:
            bright = necrosis.paint(bright, body, host, cues.necrosis)
        blend(body, bright, host, image, label)
        part = pressing[body.box.slices]
        np.maximum(part, solid.share(body), out=part)
    if cues.mass_effect is not None and label.any():
        return mass_effect.render(image, label, pressing, host, cues.mass_effect)
    return image, label
