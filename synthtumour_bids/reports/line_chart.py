"""Lines over a common axis, laid out for an SVG drawing: where every point, tick and mark lies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # told apart by colour-blind readers
DASHES = ("", "7 3", "2 3", "9 3 2 3")  # told apart in grey
WIDTH, HEIGHT = 720.0, 280.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 12.0, 42.0, 44.0  # margins
MOST_TICKS = 6


@dataclass(frozen=True)
class Mark:
    """Something that is so at one place, or from one place to another, of the horizontal axis."""

    name: str
    start: float
    end: float | None = None


@dataclass(frozen=True)
class Chart:
    """Lines to draw.

    Attributes
    ----------
    title
        What is seen.
    x_label, y_label
        Of the axes, with units.
    x
        Places of the points, ascending.
    lines
        Values of each line by its name, as many as `x`; NaN leaves a gap.
    marks
        Places and spans of the horizontal axis that have a name.
    y_limits
        Ends of the vertical axis; left out, those of the values.
    """

    title: str
    x_label: str
    y_label: str
    x: Sequence[float]
    lines: Mapping[str, Sequence[float]]
    marks: tuple[Mark, ...] = ()
    y_limits: tuple[float, float] | None = None

    @property
    def legend(self) -> list[tuple[str, str, str]]:
        """Name, colour and dashes of each line."""
        styles = zip(COLOURS, DASHES, strict=True)
        return [(name, *style) for name, style in zip(self.lines, styles, strict=False)]

    @property
    def x_ticks(self) -> list[tuple[str, float]]:
        """Words and places of the horizontal axis' ticks."""
        return [(f"{value:g}", self.across(value)) for value in ticks(*self._x_ends)]

    @property
    def y_ticks(self) -> list[tuple[str, float]]:
        """Words and places of the vertical axis' ticks."""
        return [(f"{value:g}", self.down(value)) for value in ticks(*self._y_ends)]

    def paths(self, name: str) -> list[str]:
        """Points of a line as SVG wants them, one text for each piece between gaps."""
        return [
            " ".join(f"{self.across(x):.1f},{self.down(y):.1f}" for x, y in piece)
            for piece in _pieces(self.x, self.lines[name])
        ]

    def across(self, x: float) -> float:
        """Place of a value of the horizontal axis."""
        low, high = self._x_ends
        return LEFT + (WIDTH - LEFT - RIGHT) * (x - low) / (high - low)

    def down(self, y: float) -> float:
        """Place of a value of the vertical axis, from the top."""
        low, high = self._y_ends
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (y - low) / (high - low)

    @property
    def _x_ends(self) -> tuple[float, float]:
        return _apart(min(self.x), max(self.x)) if self.x else (0.0, 1.0)

    @property
    def _y_ends(self) -> tuple[float, float]:
        if self.y_limits is not None:
            return self.y_limits
        values = [y for line in self.lines.values() for y in line if math.isfinite(y)]
        if not values:
            return 0.0, 1.0
        low, high = _apart(min(values), max(values))
        margin = 0.05 * (high - low)
        return low if low == 0 else low - margin, high + margin


def ticks(low: float, high: float) -> list[float]:
    """Round numbers between two ends: steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / MOST_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next((one for one in (1, 2, 5) if one * power >= rough), 10)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{number * step:.10g}") for number in range(first, last + 1)]


def _apart(low: float, high: float) -> tuple[float, float]:
    """Two ends of an axis, not the same even where all values are."""
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _pieces(xs: Sequence[float], ys: Sequence[float]) -> Iterator[list[tuple[float, float]]]:
    piece: list[tuple[float, float]] = []
    for x, y in zip(xs, ys, strict=True):
        if math.isfinite(y):
            piece.append((x, y))
        elif piece:
            yield piece
            piece = []
    if piece:
        yield piece
