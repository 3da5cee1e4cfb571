"""The Dice to be expected of a mask whose truth nobody knows, by how sure the network is of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from synthtumour_bids.segmentation.checked_values import number, whole

FEWEST = 8  # masks of known Dice, below which no line is drawn
COVERED = Fraction(9, 10)  # share of known masks whose Dice the interval holds
SHRINKAGE = 0.02  # draws the slope to 0 where masks are few and alike
_STEEPEST = 100.0
MOST_MASKS = 10_000
SURE, PLANTED = "Sure", ("Same", "Grown", "Shrunk")  # what cards call the slopes


@dataclass(frozen=True)
class Estimate:
    """A Dice to be expected, and the interval that holds it for nine of ten known masks."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class DiceLine:
    """Dice as a linear function of the share of a mask that the network is sure of.

    Attributes
    ----------
    intercept, sure
        Its coefficients.
    margin
        Half the width of the interval: what known masks that had no part in the line miss it by.
    masks
        How many it was fitted on.
    planted
        Further coefficients of lines of before, which asked for a test that is not done any more:
        planting the tumour elsewhere. They are kept as the card has them, and tell nothing.
    """

    intercept: float
    sure: float
    margin: float
    masks: int
    planted: tuple[float, ...] = ()

    def at(self, sure: float) -> Estimate | None:
        """Dice to be expected of a mask, in [0, 1]; ``None`` by a line of before.

        Parameters
        ----------
        sure
            Share of what the network marked that it is sure of; see
            :func:`.uncertainty.sure_share`.
        """
        if self.planted:
            return None
        value = self.intercept + self.sure * sure
        low, middle, high = np.clip((value - self.margin, value, value + self.margin), 0, 1)
        return Estimate(float(middle), float(low), float(high))

    def to_json(self) -> dict[str, Any]:
        """Return what the model card tells: of a line of before, what it told."""
        slopes = (
            dict(zip(PLANTED, self.planted, strict=True)) if self.planted else {SURE: self.sure}
        )
        return {
            "Intercept": round(self.intercept, 5),
            **{name: round(value, 5) for name, value in slopes.items()},
            "Margin": round(self.margin, 5),
            "Masks": self.masks,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> DiceLine:
        """Read what :meth:`to_json` gave.

        Raises
        ------
        ValueError
            Naming what is missing or out of its bounds.
        """

        def slope(key: str) -> float:
            return number(content.get(key), key, -_STEEPEST, _STEEPEST)

        before = any(name in content for name in PLANTED)
        return cls(
            slope("Intercept"),
            0.0 if before else slope(SURE),
            number(content.get("Margin"), "Margin", 0, 1),
            whole(content.get("Masks"), "Masks", FEWEST, MOST_MASKS),
            tuple(slope(name) for name in PLANTED) if before else (),
        )


def fit_line(sure: Sequence[float], dice: Sequence[float]) -> DiceLine | None:
    """Fit the line on masks whose Dice is known, of which some were lost and must not bend it.

    Its slope is the median of those between two masks (Theil 1950, Sen 1968), drawn towards 0.

    Parameters
    ----------
    sure
        Shares of a network's masks that it is sure of, one of each case.
    dice
        Their Dice with what is known to be there, in [0, 1].

    Returns
    -------
    DiceLine or None
        None for fewer than 8 masks.

    Raises
    ------
    ValueError
        If there is not one Dice for each mask.
    """
    if len(sure) != len(dice):
        raise ValueError(f"There are {len(sure)} masks, but {len(dice)} values of Dice.")
    if len(dice) < FEWEST:
        return None
    shares, target = np.array(sure), np.array(dice)
    errors = []
    for index, share in enumerate(shares):
        intercept, slope = _line(np.delete(shares, index), np.delete(target, index))
        errors.append(abs(float(np.clip(intercept + slope * share, 0, 1)) - target[index]))
    # As in conformal prediction: the next mask counts as one more, whose error may be the largest.
    count = len(errors)
    rank = min(math.ceil(COVERED * (count + 1)), count)
    margin = float(sorted(errors)[rank - 1])
    intercept, slope = _line(shares, target)
    return DiceLine(intercept, slope, margin, count)


def _line(shares: NDArray[np.float64], target: NDArray[np.float64]) -> tuple[float, float]:
    """Intercept and slope, by medians: half of the masks lie above, half below."""
    if np.ptp(shares) == 0:
        return float(np.median(target)), 0.0
    spread = float(np.sum((shares - shares.mean()) ** 2))
    slope = float(stats.theilslopes(target, shares).slope) * spread / (spread + SHRINKAGE)
    return float(np.median(target - slope * shares)), slope
