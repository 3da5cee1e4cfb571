"""What cards tell of masks besides, checked before anything is computed with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from synthtumour_bids.segmentation.checked_values import number, object_of, short
from synthtumour_bids.synthesis.borders import Evidence

EVIDENCE = "BorderRefinement"  # how a scan refines borders; null or absent where it does not
ENCLOSED = "Enclosed"  # what is added to masks: a share of directions
MOST_EVIDENCE = 100.0  # mm, and log odds
LEAST_ENCLOSED = 0.5  # of fewer directions, masks would spread over the brain


def check_details(details: Mapping[str, Any]) -> None:
    """Check how masks are made of a network's answers, as its card says.

    Parameters
    ----------
    details
        Of the card, by CamelCase names; nothing of them is trusted.

    Raises
    ------
    ValueError
        In one clause: what cannot be used.
    """
    if details.get(EVIDENCE) is not None:
        told, known = object_of(details, EVIDENCE), {one.name for one in fields(Evidence)}
        if unknown := [key for key in told if key not in known]:
            raise ValueError(
                f"{EVIDENCE} has {short(unknown[0])}, which this version does not know"
            )
        for key, value in told.items():
            number(value, f"{EVIDENCE} {key}", 0, MOST_EVIDENCE)
    number(details.get(ENCLOSED, 1.0), ENCLOSED, LEAST_ENCLOSED, 1)
