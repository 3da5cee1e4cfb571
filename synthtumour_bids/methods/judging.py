"""From a network's prediction to what a run makes of it on the template grid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.methods.border_refinement import refined
from synthtumour_bids.methods.comparison import Compared, Comparison, compared
from synthtumour_bids.synthesis.borders import Evidence
from synthtumour_bids.volumes import load_volume


def judged(
    prediction: Path,
    image: Path,
    brain: NDArray[np.bool_],
    lesion: str,
    evidence: Evidence | None,
    comparison: Comparison,
) -> Compared:
    """Refine a predicted probability by the scan, and compare its mask with the other side.

    Parameters
    ----------
    prediction
        Probability on the template grid.
    image
        Skull-stripped image there.
    brain
        Brain mask there, (X, Y, Z).
    lesion
        What the network looks for.
    evidence
        How the scan refines the borders; ``None``: not at all.
    comparison
        How the mask is compared.
    """
    volume = load_volume(prediction)
    volume = replace(volume, data=refined(volume, image, brain, evidence))
    return compared(volume, image, brain, lesion, comparison)
