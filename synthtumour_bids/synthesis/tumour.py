"""Our stage-1 tumour, rendered: whole lesion, core and halo.

What it does otherwise than the published procedure, and why, stands in ``docs/priors.md``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .appearance import lesion_brightness, raw_brightness, soft_mask
from .bodies import bodies
from .brain import Brain
from .lesion import TumourParams
from .purpose import Purpose

LABEL_THRESHOLD = 0.5


def render_tumour(
    host: Brain, params: TumourParams
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Put the lesions into a copy of the image.

    Parameters
    ----------
    host
        The brain that the parameters were drawn for.
    params
        From :func:`.lesion.sample_tumour`.

    Returns
    -------
    image : ndarray of float32
        (X, Y, Z), the host's intensity scale.
    label : ndarray of uint8
        (X, Y, Z), 1 in the tumour.
    """
    image, brain, spacing, normal = host.image, host.mask, host.spacing, host.normal
    out = np.array(image, dtype=np.float32)
    label = np.zeros(out.shape, dtype=np.uint8)
    for body in bodies(host, params):
        box, whole, look = body.box, body.whole, body.lesion.look
        if params.purpose is Purpose.SHIFTED:
            bright = raw_brightness(image, box, body.depth, body.core, look, normal)
            out[box.slices][whole] = bright[whole]
            label[box.slices] |= whole
            continue
        soft = soft_mask(whole, brain, box, look.edge_mm, spacing)
        bright = lesion_brightness(image, brain, box, spacing, body.depth, body.core, look, normal)
        region = out[box.slices]
        region += soft * (bright - region)
        label[box.slices] |= (soft >= LABEL_THRESHOLD) & brain[box.slices]
    return out, label
