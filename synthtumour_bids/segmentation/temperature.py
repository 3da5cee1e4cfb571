"""Probabilities that mean what they say, by one temperature (Guo et al., ICML 2017).

Logits are divided by it, so that .5 stays .5: masks are the same at any temperature.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from synthtumour_bids.segmentation.reliability import reliability

HIGHEST = 10.0  # temperature; the lowest is its inverse
STEP = 1.02  # between temperatures that are tried
_BELOW = np.nextafter(np.float32(0.5), np.float32(0))


def fit_temperature(probabilities: NDArray[np.floating], labels: NDArray[np.bool_]) -> float:
    """Find the temperature at which known voxels are tumour as often as is said.

    That is the one with the least error of :func:`.reliability.reliability`. The likeliest one is
    higher: it makes room for a few sure mistakes by taking all that is sure for less so.

    Parameters
    ----------
    probabilities
        Of tumour, (N,), in [0, 1].
    labels
        Whether it is tumour, (N,).

    Returns
    -------
    float
        From 0.1 to 10; above 1 where the probabilities were too sure. 1 where none is better, and
        where nothing is to be learned: no voxel, or all of one kind.

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
    steps = int(np.log(HIGHEST) / np.log(STEP))
    nearest_first = sorted(range(-steps, steps + 1), key=abs)
    return min(
        (STEP**step for step in nearest_first),
        key=lambda one: reliability(at_temperature(probabilities, one), labels).error,
    )


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
