"""Border refinement by the scan itself, for networks trained without annotations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.synthesis.borders import Evidence, refine_borders
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.volumes import Volume, load_volume


def refined(
    probability: Volume, image: Path, brain: NDArray[np.bool_], evidence: Evidence | None
) -> NDArray[np.float32]:
    """Refine a probability map by the image that it was predicted from.

    Parameters
    ----------
    probability
        On the template grid.
    image
        Skull-stripped image on the same grid.
    brain
        Brain mask there, (X, Y, Z).
    evidence
        How; ``None`` leaves the map as it is.

    Returns
    -------
    ndarray
        (X, Y, Z), in [0, 1].
    """
    if evidence is None:
        return probability.data
    scan = Brain(load_volume(image).data, brain, probability.spacing)
    return refine_borders(probability.data, scan, evidence)
