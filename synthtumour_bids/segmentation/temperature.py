"""Probabilities that mean what they say, by one temperature (Guo et al., ICML 2017).

Logits are divided by it, so that .5 stays .5: masks are the same at any temperature.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

HIGHEST = 10.0  # temperature; the lowest is its inverse
_LEAST = 1e-6  # probability of either outcome, so that one sure mistake does not decide alone
_BELOW = np.nextafter(np.float32(0.5), np.float32(0))


def fit_temperature(probabilities: NDArray[np.floating], labels: NDArray[np.bool_]) -> float:
    """Find the temperature at which known voxels are likeliest (least cross-entropy).

    Parameters
    ----------
    probabilities
        Of tumour, (N,), in [0, 1].
    labels
        Whether it is tumour, (N,).

    Returns
    -------
    float
        From 0.1 to 10; above 1 where the probabilities were too sure. 1 where nothing is to be
        learned: no voxel, or all of one kind.

    Raises
    ------
    ValueError
        If there are not as many labels as probabilities.
    """
    if probabilities.shape != labels.shape:
        raise ValueError(
            f"Probabilities, {probabilities.shape}, and labels, {labels.shape}, differ in shape."
        )
    if not labels.any() or labels.all():
        return 1.0
    clipped = np.clip(probabilities.astype(np.float64), _LEAST, 1 - _LEAST)
    against = np.where(labels, -1, 1) * special.logit(clipped)  # log odds against what is so

    def cross_entropy(log_temperature: float) -> float:
        return float(np.logaddexp(0, against / np.exp(log_temperature)).mean())

    limit = np.log(HIGHEST)
    found = optimize.minimize_scalar(cross_entropy, bounds=(-limit, limit), method="bounded")
    return float(np.exp(found.x))


def at_temperature(probability: NDArray[np.floating], temperature: float) -> NDArray[np.float32]:
    """Divide the logits of a probability map by a temperature.

    Parameters
    ----------
    probability
        In [0, 1], of any shape.
    temperature
        Above 0; 1 changes nothing.

    Returns
    -------
    ndarray
        In [0, 1]; 0, .5 and 1 stay what they are, and no voxel changes sides at .5.
    """
    values: NDArray[np.float32] = probability.astype(np.float32)
    if temperature == 1:
        return values
    unsure = (values > 0) & (values < 1)  # of a scan's grid a small part
    before = values[unsure].astype(np.float64)
    after = special.expit(special.logit(before) / temperature).astype(np.float32)
    values[unsure] = np.where(before < 0.5, np.minimum(after, _BELOW), after)
    return values
