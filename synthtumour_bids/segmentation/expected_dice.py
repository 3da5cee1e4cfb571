"""The Dice to be expected of a mask whose truth nobody knows, from the replant test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.segmentation.checked_values import number, whole
from synthtumour_bids.synthesis.replanting import Overlaps

FEWEST = 8  # masks of known Dice, below which no line is drawn
COVERED = 0.9  # share of known masks whose Dice the interval holds
RIDGE = 0.05  # draws slopes to 0 where masks are few and alike
_STEEPEST = 100.0
MOST_MASKS = 10_000


@dataclass(frozen=True)
class Estimate:
    """A Dice to be expected, and the interval that holds it for nine of ten known masks."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class DiceLine:
    """Dice as a linear function of the overlaps of the replant test.

    Attributes
    ----------
    intercept, same, grown, shrunk
        Its coefficients.
    margin
        Half the width of the interval: what known masks that had no part in the line miss it by.
    masks
        How many it was fitted on.
    """

    intercept: float
    same: float
    grown: float
    shrunk: float
    margin: float
    masks: int

    def at(self, overlaps: Overlaps) -> Estimate:
        """Dice to be expected of a mask, in [0, 1]."""
        slopes = np.array((self.same, self.grown, self.shrunk))
        value = self.intercept + float(slopes @ _row(overlaps))
        low, middle, high = np.clip((value - self.margin, value, value + self.margin), 0, 1)
        return Estimate(float(middle), float(low), float(high))

    def to_json(self) -> dict[str, Any]:
        """Return what the model card tells."""
        return {
            key.capitalize(): round(value, 5) if isinstance(value, float) else value
            for key, value in asdict(self).items()
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

        return cls(
            slope("Intercept"),
            slope("Same"),
            slope("Grown"),
            slope("Shrunk"),
            number(content.get("Margin"), "Margin", 0, 1),
            whole(content.get("Masks"), "Masks", FEWEST, MOST_MASKS),
        )


def fit_line(overlaps: Sequence[Overlaps], dice: Sequence[float]) -> DiceLine | None:
    """Fit the line on masks whose Dice is known, by ridge regression.

    Parameters
    ----------
    overlaps
        What the replant test says of a network's masks, one of each case.
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
    if len(overlaps) != len(dice):
        raise ValueError(f"There are {len(overlaps)} masks, but {len(dice)} values of Dice.")
    if len(dice) < FEWEST:
        return None
    rows, target = np.array([_row(one) for one in overlaps]), np.array(dice)
    errors = []
    for index, row in enumerate(rows):
        intercept, slopes = _ridge(np.delete(rows, index, axis=0), np.delete(target, index))
        errors.append(abs(float(np.clip(intercept + row @ slopes, 0, 1)) - target[index]))
    # As in conformal prediction: the next mask counts as one more, whose error may be the largest.
    rank = min(COVERED * (1 + 1 / len(errors)), 1)
    margin = float(np.quantile(errors, rank, method="higher"))
    intercept, slopes = _ridge(rows, target)
    same, grown, shrunk = slopes.tolist()
    return DiceLine(intercept, same, grown, shrunk, margin, len(errors))


def _row(overlaps: Overlaps) -> NDArray[np.float64]:
    return np.array((overlaps.same, overlaps.grown, overlaps.shrunk))


def _ridge(
    rows: NDArray[np.float64], target: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Intercept and slopes; the intercept is free, so that the mean is met."""
    centre = rows.mean(axis=0)
    left, right = rows - centre, target - target.mean()
    slopes = np.linalg.solve(left.T @ left + RIDGE * np.eye(rows.shape[1]), left.T @ right)
    return float(target.mean() - centre @ slopes), slopes
