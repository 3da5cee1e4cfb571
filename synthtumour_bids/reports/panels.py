"""Pictures of slices side by side, as vector graphics: voxels as they are, contours as lines.

All panels of a picture share one pair of axes, whose unit is an inch: axes of their own would take
a third of the time that a participant's page takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from synthtumour_bids.files import replacing
from synthtumour_bids.reports.slices import Plane, at, extent, section
from synthtumour_bids.volumes import Volume

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAGE = 9.6  # inches that a picture is wide which a page shows in full; 130 pixels each there
CARD = 2.1  # inches that a slice is wide where pictures stand side by side
SCALE_MM = 50
_GAP, _TITLE, _FOOT, _BARS = 0.06, 0.24, 0.35, 0.9  # inches
_TEXT: dict[str, Any] = {"color": "white", "fontsize": 9}
_ON_BRIGHT: dict[str, Any] = {"facecolor": "black", "edgecolor": "none", "alpha": 0.6, "pad": 1}


@dataclass(frozen=True)
class Outline:
    """A contour to draw.

    Colours are told apart by colour-blind readers (Okabe and Ito), and dashes do it in grey.
    """

    name: str
    colour: str
    dashes: Literal["solid", "dashed"] = "solid"


BRAIN = Outline("brain mask", "#E69F00")
BRAIN_BESIDE_TUMOUR = Outline("brain mask", "#009E73")
TUMOUR = Outline("tumour mask", "#E69F00")
LABEL = Outline("label", "#E69F00")
PSEUDO_LABEL = Outline("pseudo-label", "#E69F00")
JUNIOR = Outline("junior", "#CC79A7", "dashed")
TRUTH = Outline("truth", "#56B4E9", "dashed")


@dataclass(frozen=True, eq=False)
class Panel:
    """A place for one slice: its lower left corner and its side, inches."""

    axes: Axes
    left: float
    bottom: float
    side: float

    def frame(self, volume: Volume, plane: Plane) -> tuple[float, float, float]:
        """Lower left corner of a slice (inches), and inches a mm; slices hang at the top."""
        width, height = extent(volume, plane)
        scale = self.side / max(width, height)
        left = self.left + (self.side - width * scale) / 2
        return left, self.bottom + self.side - height * scale, scale


def new_figure(
    rows: int, columns: int, *, side: float | None = None, bars: bool = False
) -> tuple[Figure, list[list[Panel]]]:
    """Make a black picture of panels in a grid, with room for a legend below.

    Parameters
    ----------
    rows, columns
        How many panels.
    side
        Of a panel, inches; left out, all columns together fill a page, so that words are as large
        in every picture.
    bars
        Whether there is room for colour bars.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    side = side or PAGE / columns
    width, height = side * columns + (_BARS if bars else 0), _FOOT + rows * (side + _TITLE)
    figure = Figure(figsize=(width, height), facecolor="black")
    FigureCanvasSVG(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height), autoscale_on=False)
    axes.set_axis_off()
    bottoms = [_FOOT + (rows - 1 - row) * (side + _TITLE) for row in range(rows)]
    return figure, [
        [Panel(axes, column * side + _GAP / 2, bottom, side - _GAP) for column in range(columns)]
        for bottom in bottoms
    ]


def draw_slice(
    panel: Panel, volume: Volume, plane: Plane, index: int, grey: tuple[float, float]
) -> None:
    """Draw one slice in grey, with its position and its sides."""
    draw_values(panel, volume, plane, index, colours="gray", limits=grey)
    (left, bottom, scale), (width, height) = panel.frame(volume, plane), extent(volume, plane)
    place = f"{plane.name}, {at(volume, plane, index)}"
    panel.axes.text(left, panel.bottom + panel.side + 0.03, place, va="bottom", **_TEXT)
    middle = bottom + height * scale / 2
    for share, word, side in ((0.015, plane.left, "left"), (0.985, plane.right, "right")):
        x = left + share * width * scale
        panel.axes.text(x, middle, word, ha=side, va="center", bbox=_ON_BRIGHT, **_TEXT)


def draw_scale(panel: Panel, volume: Volume, plane: Plane) -> None:
    """Draw a bar of 50 mm into a slice's lower left corner."""
    left, bottom, scale = panel.frame(volume, plane)
    left, bottom = left + 0.07, bottom + 0.07
    panel.axes.plot([left, left + SCALE_MM * scale], [bottom] * 2, color="white", linewidth=2)
    words = {**_TEXT, "fontsize": 8, "bbox": _ON_BRIGHT}
    panel.axes.text(left, bottom + 0.06, f"{SCALE_MM} mm", va="bottom", **words)


def draw_values(
    panel: Panel,
    volume: Volume,
    plane: Plane,
    index: int,
    *,
    colours: str,
    limits: tuple[float, float],
    from_value: float | None = None,
) -> Any:
    """Draw one slice of values in colours; what is below `from_value` stays transparent.

    Returns
    -------
    What a colour bar is made of.
    """
    values = section(volume, plane, index)
    (left, bottom, scale), (width, height) = panel.frame(volume, plane), extent(volume, plane)
    return panel.axes.imshow(
        values if from_value is None else np.ma.masked_less(values, from_value),
        cmap=colours,
        vmin=limits[0],
        vmax=limits[1],
        alpha=None if from_value is None else 0.7,
        aspect="auto",
        origin="lower",
        extent=(left, left + width * scale, bottom, bottom + height * scale),
        interpolation="none",  # voxels as they are, in the file, too
    )


def draw_outline(panel: Panel, mask: Volume, plane: Plane, index: int, outline: Outline) -> None:
    """Draw the contour of a mask in one slice, along the edges of its voxels' neighbours."""
    inside = np.pad(section(mask, plane, index) > 0, 1)
    if not inside.any():
        return
    left, bottom, scale = panel.frame(mask, plane)
    first, second = (size for axis, size in enumerate(mask.spacing) if axis != plane.axis)
    rows, columns = inside.shape
    panel.axes.contour(
        left + (np.arange(columns) - 0.5) * first * scale,
        bottom + (np.arange(rows) - 0.5) * second * scale,
        inside.astype(np.float32),
        levels=[0.5],
        colors=[outline.colour],
        linestyles=[outline.dashes],
        linewidths=1.2,
    )


def add_legend(figure: Figure, outlines: Sequence[Outline]) -> None:
    """Say below all panels what the contours are."""
    from matplotlib.lines import Line2D

    lines = [
        Line2D([], [], color=one.colour, linestyle=one.dashes, label=one.name) for one in outlines
    ]
    figure.legend(
        handles=lines,
        loc="lower left",
        ncols=len(lines),
        frameon=False,
        labelcolor="white",
        fontsize=9,
        borderaxespad=0.2,
    )


def add_colour_bar(figure: Figure, row: Sequence[Panel], drawn: Any, label: str) -> None:
    """Draw a colour bar to the right of a row of panels."""
    last = row[-1]
    width, height = figure.get_size_inches()
    place = (1 - 0.8 / width, (last.bottom + 0.1 * last.side) / height)
    bar = figure.colorbar(
        drawn, cax=figure.add_axes((*place, 0.15 / width, 0.8 * last.side / height))
    )
    bar.set_label(label, **_TEXT)
    bar.ax.tick_params(colors="white", labelsize=8)
    bar.outline.set_edgecolor("white")


def save(figure: Figure, path: Path) -> None:
    """Write SVG; the same figure gives the same bytes."""
    import matplotlib as mpl

    with replacing(path) as temporary, mpl.rc_context({"svg.hashsalt": "synthtumour_bids"}):
        figure.savefig(temporary, format="svg", facecolor="black", metadata={"Date": None})
