"""Numbers behind the charts of the group report: what is drawn where, in the units of the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np

FENCE = 1.5  # interquartile ranges beyond the quartiles (Tukey)
MOST_BINS = 24
LIMITS = 1.96  # standard deviations, of the limits of agreement


@dataclass(frozen=True)
class Point:
    """A value of a participant or scan, and the page that tells more."""

    name: str
    value: float
    link: str = ""


@dataclass(frozen=True)
class Distribution:
    """How values are distributed.

    Attributes
    ----------
    title, unit
        What the values are.
    edges, counts
        Of the histogram's bins; one edge more than counts.
    quartiles
        First quartile, median, third quartile.
    outliers
        Values more than 1.5 interquartile ranges beyond the quartiles, the farthest from the
        median first.
    """

    title: str
    unit: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    quartiles: tuple[float, float, float]
    outliers: tuple[Point, ...]

    @classmethod
    def of(cls, title: str, unit: str, points: Sequence[Point]) -> Distribution:
        """Describe one value or more."""
        values = np.array([point.value for point in points])
        first, middle, third = (float(q) for q in np.percentile(values, (25, 50, 75)))
        margin = FENCE * (third - first)
        bins = min(MOST_BINS, max(1, int(np.sqrt(len(values)) * 1.5)))
        counts, edges = np.histogram(values, bins)
        beyond = [p for p in points if not first - margin <= p.value <= third + margin]
        return cls(
            title,
            unit,
            tuple(map(float, edges)),
            tuple(map(int, counts)),
            (first, middle, third),
            tuple(sorted(beyond, key=lambda point: -abs(point.value - middle))),
        )

    def share(self, value: float) -> float:
        """Where a value lies between the first and the last edge, 0 to 1."""
        low, high = self.edges[0], self.edges[-1]
        return (value - low) / (high - low)


@dataclass(frozen=True)
class Agreement:
    """Bland and Altman's comparison of two measurements of the same volumes, mL.

    Attributes
    ----------
    means
        Mean of both measurements of each scan, in the order of `differences`.
    differences
        Measured minus true.
    bias
        Mean difference.
    limits
        The limits of agreement: 1.96 standard deviations below and above the bias; both are the
        bias where there is one scan.
    """

    means: tuple[float, ...]
    differences: tuple[Point, ...]
    bias: float
    limits: tuple[float, float]

    @classmethod
    def of(cls, volumes: Sequence[float], differences: Sequence[Point]) -> Agreement:
        """Compare the masks' volumes; `differences` are these minus the true ones."""
        values = [point.value for point in differences]
        bias = fmean(values)
        margin = LIMITS * stdev(values) if len(values) > 1 else 0.0
        means = (volume - value / 2 for volume, value in zip(volumes, values, strict=True))
        return cls(tuple(means), tuple(differences), bias, (bias - margin, bias + margin))

    @property
    def reach(self) -> tuple[float, float]:
        """Lowest and highest value of the vertical axis."""
        values = [point.value for point in self.differences]
        low, high = min(*values, self.limits[0], 0.0), max(*values, self.limits[1], 0.0)
        margin = 0.08 * (high - low) or 1.0
        return low - margin, high + margin
