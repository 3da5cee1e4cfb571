"""The variants of the label-free method, as data: our synthesis, and the published one."""

from __future__ import annotations

from dataclasses import dataclass

from synthtumour_bids.synthesis.borders import Evidence
from synthtumour_bids.synthesis.stage_one import Sampler, sample_published, sample_tumour
from synthtumour_bids.synthesis.stage_two import (
    DEFAULT_MIX,
    LIKE_SCANS,
    PUBLISHED_MIX,
    MixRanges,
)


@dataclass(frozen=True)
class Recipe:
    """One variant.

    Attributes
    ----------
    name
        The word for it on the command line and in model cards.
    words
        How tumours are drawn, for the methods text.
    sampler
        Draws the parameters of synthetic tumours.
    mixing
        What the parameters of mixes are drawn from.
    calibrating
        What those of the mixes are drawn from that calibrate.
    fraction_shifted
        Share of the hosts for the shifted validation.
    evidence
        How the scan refines the borders of what its networks say, if it does.
    enclosed
        Share of directions in which a mask must lie around what is added to it, in FLAIR; 1:
        nothing is. See :mod:`synthtumour_bids.synthesis.enclosure`.
    healthy_halves
        Whether healthy halves of tumour scans are hosts, and the junior's samples and synthetic
        tumours in these halves teach the senior, too.
    """

    name: str
    words: str
    sampler: Sampler
    mixing: MixRanges
    calibrating: MixRanges
    fraction_shifted: float
    evidence: Evidence | None
    enclosed: float
    healthy_halves: bool

    def enclosing(self, lesion: str, contrast: str) -> float:
        """`enclosed` where it was tried; else 1, by which nothing is added."""
        return self.enclosed if (lesion, contrast) == ("glioma", "FLAIR") else 1.0


RECIPES = {
    "default": Recipe(
        name="default",
        words="whose shape, size, border, texture, halo and core were drawn from priors",
        sampler=sample_tumour,
        mixing=DEFAULT_MIX,
        calibrating=LIKE_SCANS,
        fraction_shifted=1 / 3,
        evidence=Evidence(),
        enclosed=0.8,
        healthy_halves=True,
    ),
    "reference": Recipe(
        name="reference",
        words="with the published shape and intensity parameters",
        sampler=sample_published,
        mixing=PUBLISHED_MIX,
        calibrating=PUBLISHED_MIX,
        fraction_shifted=0.5,
        evidence=None,
        enclosed=1.0,
        healthy_halves=False,
    ),
}
