"""From a network's prediction to what a run makes of it on the template grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.methods.border_refinement import refined
from synthtumour_bids.methods.comparison import Compared, Comparison, compared
from synthtumour_bids.synthesis.borders import Evidence
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.enclosure import add_enclosed
from synthtumour_bids.synthesis.pseudo_labels import assess, final_criteria
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


def final_masks(
    found: Compared, image: Path, brain: NDArray[np.bool_], lesion: str, enclosed: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Make masks of what is left of a map, on the template grid: as marked, and all they enclose.

    Parameters
    ----------
    found
        What `judged` gave.
    image, brain, lesion
        As for `judged`.
    enclosed
        What is added; see :func:`.enclosure.add_enclosed`.
    """
    left, spacing = found.without(found.probability.data), found.probability.spacing
    marked = assess(left, brain, spacing, criteria=final_criteria(lesion)).mask
    if enclosed == 1:
        return marked, marked
    scan = Brain(load_volume(image).data, brain, spacing)
    return marked, add_enclosed(marked, scan, enclosed, found.territory)


@dataclass(frozen=True)
class Seen:
    """A brain that a network has seen, and how that is judged; see `judged`.

    Attributes
    ----------
    brain
        File of the brain mask; ``None``: where the image is above 0.
    upheld_by
        What a starter has seen, which may uphold parts; see :meth:`.Compared.upheld_by`.
    """

    prediction: Path
    image: Path
    brain: Path | None
    lesion: str
    evidence: Evidence | None
    comparison: Comparison
    upheld_by: Seen | None = None


def likeness_of(seen: Seen) -> float:
    """How much like a tumour is what the network found, mL · SD."""
    found = _judged(seen)
    if seen.upheld_by is not None:
        found = found.upheld_by(_judged(seen.upheld_by))
    return found.likeness


def _judged(seen: Seen) -> Compared:
    brain = load_volume(seen.image).data > 0 if seen.brain is None else load_volume(seen.brain).mask
    return judged(seen.prediction, seen.image, brain, seen.lesion, seen.evidence, seen.comparison)
