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
RIDGE = 0.05  # sum of squared deviations that steep slopes must earn: few masks, and alike
_STEEPEST = 100.0


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
        slopes = (
            number(content.get(key), key, -_STEEPEST, _STEEPEST)
            for key in ("Intercept", "Same", "Grown", "Shrunk")
        )
        margin = number(content.get("Margin"), "Margin", 0, 1)
        return cls(*slopes, margin, whole(content.get("Masks"), "Masks", FEWEST, 10**6))


def fit_line(
    overlaps: Sequence[Overlaps], dice: Sequence[float], cases: Sequence[str]
) -> DiceLine | None:
    """Fit the line on masks whose Dice is known, by ridge regression.

    Parameters
    ----------
    overlaps
        What the replant test says of each mask.
    dice
        Its Dice with what was drawn, in [0, 1].
    cases
        Which case it is of: masks of one case are left out together when errors are measured.

    Returns
    -------
    DiceLine or None
        None for fewer than 8 masks, or masks of fewer than 4 cases.
    """
    known = sorted(set(cases))
    if len(dice) < FEWEST or len(known) < FEWEST // 2:
        return None
    rows, target, owner = np.array([_row(o) for o in overlaps]), np.array(dice), np.array(cases)
    errors = []
    for case in known:
        left = owner != case
        intercept, slopes = _ridge(rows[left], target[left])
        said = np.clip(intercept + rows[~left] @ slopes, 0, 1)
        errors += np.abs(said - target[~left]).tolist()
    intercept, slopes = _ridge(rows, target)
    # As in conformal prediction: the next mask counts as one more, whose error may be the largest.
    rank = min(COVERED * (1 + 1 / len(errors)), 1)
    margin = float(np.quantile(errors, rank, method="higher"))
    return DiceLine(intercept, *slopes.tolist(), margin, len(dice))


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
