"""The pseudo-label of one scan, and the verdict of the quality control on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.methods.border_refinement import refined
from synthtumour_bids.methods.comparison import Comparison, compared, described
from synthtumour_bids.segmentation.class_maps import labelled
from synthtumour_bids.segmentation.uncertainty import mirrored_probability
from synthtumour_bids.synthesis.borders import Evidence
from synthtumour_bids.synthesis.pseudo_labels import PseudoLabel, assess, criteria_for
from synthtumour_bids.volumes import load_volume


@dataclass(frozen=True)
class Candidate:
    """A scan to be pseudo-labelled: its files, and how its label is made.

    Attributes
    ----------
    averaged, plain
        What the network said with and without the mirrored scan.
    image, brain
        On the template grid.
    label
        Where the pseudo-label goes.
    lesion, evidence, comparison
        See `judging.judged`.
    """

    scan: Scan
    averaged: Path
    plain: Path
    image: Path
    brain: Path
    label: Path
    lesion: str
    evidence: Evidence | None
    comparison: Comparison


@dataclass(frozen=True)
class Assessed:
    """A scan's pseudo-label, with the verdict of the quality control."""

    scan: Scan
    label: Path
    pseudo: PseudoLabel
    dropped_ml: float = 0.0  # as too much like the other side of the brain


def assess_candidate(one: Candidate) -> Assessed:
    """Make the pseudo-label of one scan, write it, and judge it.

    The result has no mask, of which a large cohort's would fill the memory; the file has it.
    """
    probability, brain = load_volume(one.averaged), load_volume(one.brain).mask
    mirrored = mirrored_probability(probability.data, load_volume(one.plain).data)
    own, other = (
        replace(probability, data=refined(volume, one.image, brain, one.evidence))
        for volume in (probability, replace(probability, data=mirrored))
    )
    found = compared(own, one.image, brain, one.lesion, one.comparison)
    pseudo = assess(
        found.without(own.data),
        brain,
        probability.spacing,
        reference_probability=found.without(other.data),
        criteria=criteria_for(one.lesion),
    )
    told = {
        "OtherSide": one.comparison.to_json(),
        "DroppedComponents": [described(part) for part in found.dropped],
    }
    label = probability.with_data(labelled(pseudo.mask, one.averaged))
    write_image(one.label, label, told)
    return Assessed(one.scan, one.label, replace(pseudo, mask=pseudo.mask[:0]), found.dropped_ml)
