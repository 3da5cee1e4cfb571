"""The variants of the label-free method, as data: our synthesis, and the published one."""

from __future__ import annotations

from dataclasses import dataclass

from synthtumour_bids.synthesis.borders import Evidence


@dataclass(frozen=True)
class Recipe:
    """One variant.

    Attributes
    ----------
    name
        The word for it on the command line and in model cards.
    words
        How tumours are drawn, for the methods text.
    fraction_shifted
        Share of the hosts for the shifted validation.
    evidence
        How the scan refines the borders of what its networks say, if it does.
    healthy_halves
        Whether healthy halves of tumour scans are hosts, and the junior's samples and synthetic
        tumours in these halves teach the senior, too.
    """

    name: str
    words: str
    fraction_shifted: float
    evidence: Evidence | None
    healthy_halves: bool


RECIPES = {
    "default": Recipe(
        name="default",
        words="whose shape, size, border, texture, halo and core were drawn from priors",
        fraction_shifted=1 / 3,
        evidence=Evidence(),
        healthy_halves=True,
    ),
    "reference": Recipe(
        name="reference",
        words="with the published shape and intensity parameters",
        fraction_shifted=0.5,
        evidence=None,
        healthy_halves=False,
    ),
}
