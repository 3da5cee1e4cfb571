"""Whose mask is worth most to correct by hand: where the networks disagree over most tissue."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST = 5


@dataclass(frozen=True)
class Candidate:
    """A scan whose corrected mask would teach the senior.

    Attributes
    ----------
    scan
        Its name.
    disputed_ml
        Volume that junior or senior, but not both, take for tumour, mL.
    dice
        Of both masks.
    link
        Page of the participant; empty where there is none.
    """

    scan: str
    disputed_ml: float
    dice: float
    link: str = ""


def most_instructive(
    scans: Sequence[Mapping[str, Any]], teachable: Collection[str], links: Mapping[str, str]
) -> list[Candidate]:
    """Find the scans whose correction would teach most.

    Networks can disagree only where one of them is wrong, and the volume in dispute is what a
    correction would settle: ``(1 - Dice) * (junior + senior)``.

    Parameters
    ----------
    scans
        Rows of the scans' table.
    teachable
        Names of the scans that may teach and were not corrected yet.
    links
        Pages of the participants, by ``participant_id``.

    Returns
    -------
    Up to five, the most disputed first; scans on which both networks agree are left out.
    """
    found = []
    for row in scans:
        figures: list[Any] = [
            row.get(name) for name in ("junior_senior_dice", "volume_mL", "junior_volume_mL")
        ]
        if row["scan"] not in teachable or not all(map(_is_number, figures)):
            continue
        dice, *volumes = map(float, figures)
        disputed = (1 - dice) * sum(volumes)
        if disputed > 0:
            link = links.get(row["participant_id"], "")
            found.append(Candidate(row["scan"], disputed, dice, link))
    return sorted(found, key=lambda one: (-one.disputed_ml, one.scan))[:MOST]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
