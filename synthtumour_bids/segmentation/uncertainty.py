"""How sure a probability map is, and what a network says of a mirrored scan."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from synthtumour_bids.synthesis.borders import THRESHOLD

SURE = 0.9  # probability from which a network is sure of a voxel


def entropy(probability: NDArray[np.floating]) -> NDArray[np.float32]:
    """Binary entropy H(p) = -p log2 p - (1 - p) log2 (1 - p), voxel by voxel.

    Parameters
    ----------
    probability
        Foreground probability in [0, 1], any shape. Values a rounding error outside are clipped.

    Returns
    -------
    float32 array of the same shape, in bits, in [0, 1]: 0 where the network is sure, 1 at p = .5.
    """
    p = np.asarray(probability)
    bits = np.zeros(p.shape, np.float32)
    unsure = (p > 0) & (p < 1)
    q = p[unsure].astype(np.float64)
    bits[unsure] = -q * np.log2(q) - (1 - q) * np.log2(1 - q)
    return bits


def sure_share(probability: NDArray[np.floating], mask: NDArray[np.bool_]) -> float | None:
    """Share of what a network marked that it is sure of.

    Parameters
    ----------
    probability
        Of tumour, as the network says, (X, Y, Z), in [0, 1].
    mask
        Made of it, (X, Y, Z); what it encloses beyond p = .5 has no say.

    Returns
    -------
    float or None
        In [0, 1]; ``None`` where nothing is marked.
    """
    marked = np.asarray(probability)[np.asarray(mask, dtype=bool)]
    marked = marked[marked >= THRESHOLD]
    return float(np.mean(marked >= SURE)) if marked.size else None


def mirrored_probability(
    averaged: NDArray[np.floating], plain: NDArray[np.floating]
) -> NDArray[np.float32]:
    """What the network says of the mirrored scan.

    Parameters
    ----------
    averaged
        Probability with mirroring, in [0, 1], of any shape. nnU-Net takes the mean of the logits
        of the scan and of its mirror image.
    plain
        Probability without mirroring, of the same shape.

    Returns
    -------
    ndarray
        Probability in [0, 1]; exact where there is one class.
    """
    least = 1e-6  # beyond, the rounding of stored probabilities speaks
    logit = special.logit(np.clip(np.stack([averaged, plain]).astype(np.float64), least, 1 - least))
    values: NDArray[np.float32] = special.expit(2 * logit[0] - logit[1]).astype(np.float32)
    return values
