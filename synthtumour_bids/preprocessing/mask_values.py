"""Whether the values of an image that was given as a mask are those of one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WHOLE = 0.01  # values that are as near to whole numbers are classes
MOST_CLASSES = 32  # more whole numbers are brightnesses
SHARES = (-0.5, 1.5)  # smoothed masks, also with what a spline swings


def why_no_mask(values: NDArray[np.float32]) -> str:
    """Say why values cannot be a mask that is cut at 0.5, in half a sentence.

    Parameters
    ----------
    values
        Finite, of any shape. Two values, classes, and shares up to 1 make a mask; shares in percent
        or of 255 do not, of which nearly all are above 0.5.

    Returns
    -------
    Nothing where they can.
    """
    low, high = float(values.min()), float(values.max())
    if not ((values == low) | (values == high)).all():
        if np.abs(values - np.round(values)).max() > WHOLE:
            if low < SHARES[0] or high > SHARES[1]:
                return f"its values are no whole numbers, and go from {low:g} to {high:g}"
        elif (found := np.unique(np.round(values)).size) > MOST_CLASSES:
            return f"it has {found} different values, from {low:g} to {high:g}"
    if 0 < high <= 0.5:
        return f"no value is above 0.5, the highest is {high:g}"
    return ""
