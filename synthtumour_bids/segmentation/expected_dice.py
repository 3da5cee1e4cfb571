"""The Dice to be expected of a mask whose truth nobody knows, by what can be known of it.

That is how much of it the network is sure of, and where it was done, what the replant test says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
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
class Signs:
    """What is known of a mask without its truth.

    Attributes
    ----------
    sure
        Share of what the network marked that it is sure of; see :func:`.uncertainty.sure_share`.
    overlaps
        Of the replant test; ``None`` where it was not done.
    """

    sure: float
    overlaps: Overlaps | None = None


@dataclass(frozen=True)
class DiceLine:
    """Dice as a linear function of the signs of a mask.

    Attributes
    ----------
    intercept, same, grown, shrunk, sure
        Its coefficients; the middle three, of the replant test, are 0 where that has no say.
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
    sure: float = 0.0

    @property
    def replants(self) -> bool:
        """Whether the replant test has a say."""
        return any((self.same, self.grown, self.shrunk))

    def at(self, signs: Signs) -> Estimate | None:
        """Dice to be expected of a mask, in [0, 1]; ``None`` without the test that it asks for."""
        if self.replants and signs.overlaps is None:
            return None
        overlaps = signs.overlaps or Overlaps(0, 0, 0)
        slopes = np.array((self.sure, self.same, self.grown, self.shrunk))
        value = self.intercept + float(slopes @ (signs.sure, *astuple(overlaps)))
        low, middle, high = np.clip((value - self.margin, value, value + self.margin), 0, 1)
        return Estimate(float(middle), float(low), float(high))

    def to_json(self) -> dict[str, Any]:
        """Return what the model card tells."""
        return {
            key.capitalize(): round(value, 5) if isinstance(value, float) else value
            for key, value in asdict(self).items()
            if key != "sure" or value  # cards of before, whose prints are in stamps, have none
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
            slope("Sure") if "Sure" in content else 0.0,
        )


def fit_line(signs: Sequence[Signs], dice: Sequence[float]) -> DiceLine | None:
    """Fit the line on masks whose Dice is known, by ridge regression.

    Parameters
    ----------
    signs
        Of a network's masks, one of each case. The replant test has a say where it was done for
        all of them.
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
    if len(signs) != len(dice):
        raise ValueError(f"There are {len(signs)} masks, but {len(dice)} values of Dice.")
    if len(dice) < FEWEST:
        return None
    tested = [astuple(one.overlaps) for one in signs if one.overlaps is not None]
    replanted = tested if len(tested) == len(signs) else [()] * len(signs)
    rows = np.array([(one.sure, *more) for one, more in zip(signs, replanted, strict=True)])
    target = np.array(dice)
    errors = []
    for index, row in enumerate(rows):
        intercept, slopes = _ridge(np.delete(rows, index, axis=0), np.delete(target, index))
        errors.append(abs(float(np.clip(intercept + row @ slopes, 0, 1)) - target[index]))
    # As in conformal prediction: the next mask counts as one more, whose error may be the largest.
    rank = min(COVERED * (1 + 1 / len(errors)), 1)
    margin = float(np.quantile(errors, rank, method="higher"))
    intercept, slopes = _ridge(rows, target)
    sure, same, grown, shrunk = (*slopes.tolist(), 0.0, 0.0, 0.0)[:4]
    return DiceLine(intercept, same, grown, shrunk, margin, len(errors), sure)


def _ridge(
    rows: NDArray[np.float64], target: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Intercept and slopes; the intercept is free, so that the mean is met."""
    centre = rows.mean(axis=0)
    left, right = rows - centre, target - target.mean()
    slopes = np.linalg.solve(left.T @ left + RIDGE * np.eye(rows.shape[1]), left.T @ right)
    return float(target.mean() - centre @ slopes), slopes
