"""Our stage-1 tumour, rendered: whole lesion, core and halo.

What it does otherwise than the published procedure, and why, stands in ``docs/priors.md``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .appearance import lesion_brightness, raw_brightness, soft_mask
from .bodies import Body, bodies
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
    out = np.array(host.image, dtype=np.float32)
    label = np.zeros(out.shape, dtype=np.uint8)
    for body in bodies(host, params):
        if params.purpose is Purpose.SHIFTED:
            box, look = body.box, body.lesion.look
            bright = raw_brightness(host.image, box, body.depth, body.core, look, host.normal)
            out[box.slices][body.whole] = bright[body.whole]
            label[box.slices] |= body.whole
        else:
            blend(body, brightness(body, host), host, out, label)
    return out, label


def brightness(body: Body, host: Brain) -> NDArray[np.float32]:
    """Brightness of a lesion over its box, blended with nothing yet; float32."""
    look = body.lesion.look
    return lesion_brightness(
        host.image, host.mask, body.box, host.spacing, body.depth, body.core, look, host.normal
    )


def blend(
    body: Body,
    bright: NDArray[np.float32],
    host: Brain,
    out: NDArray[np.float32],
    label: NDArray[np.uint8],
) -> None:
    """Put a lesion into an image and its label, both changed in place.

    Parameters
    ----------
    body, bright
        The lesion, and its brightness over its box.
    host
        Whose brain no lesion leaves.
    out, label
        (X, Y, Z).
    """
    box = body.box
    soft = soft_mask(body.whole, host.mask, box, body.lesion.look.edge_mm, host.spacing)
    region = out[box.slices]
    region += soft * (bright - region)
    label[box.slices] |= (soft >= LABEL_THRESHOLD) & host.mask[box.slices]
