"""Slices of volumes as vector graphics: voxels as they are, contours as lines.

Volumes are in RAS order (`upright` first), so that pictures follow the neurological convention:
the subject's left is on the left. Axes of pictures are in mm from the volume's corner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.files import replacing
from synthtumour_bids.volumes import Volume

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CONVENTION = "Neurological convention: left in the picture is the subject's left (L)."
SCALE_MM = 50
_TEXT: dict[str, Any] = {"color": "white", "fontsize": 9}


@dataclass(frozen=True)
class Plane:
    """A direction to slice in: the array's axis across it, its name, what its sides are."""

    axis: int
    name: str
    left: str
    right: str

    @property
    def coordinate(self) -> str:
        """The letter of the world's axis across the plane."""
        return "xyz"[self.axis]


PLANES = (
    Plane(2, "axial", "L", "R"),
    Plane(1, "coronal", "L", "R"),
    Plane(0, "sagittal", "P", "A"),
)
AXIAL = PLANES[0]


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


def upright(volume: Volume) -> Volume:
    """Turn a volume to the axis order that is nearest to RAS."""
    image = nib.as_closest_canonical(volume.with_data(volume.data))
    x, y, z = (float(size) for size in nib.affines.voxel_sizes(image.affine))
    return Volume(np.asanyarray(image.dataobj), image.affine, (x, y, z))


def box_around(
    mask: NDArray[np.bool_], spacing: Sequence[float], margin: float
) -> tuple[slice, ...]:
    """Box around a mask (X, Y, Z) with a margin in mm; the whole grid where the mask is empty."""
    if not mask.any():
        return tuple(slice(0, size) for size in mask.shape)
    box = []
    for axis, size in enumerate(mask.shape):
        filled = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        more = int(np.ceil(margin / spacing[axis]))
        box.append(slice(max(int(filled[0]) - more, 0), min(int(filled[-1]) + more + 1, size)))
    return tuple(box)


def cropped(volume: Volume, box: Sequence[slice]) -> Volume:
    """Part of a volume, at its place in the world."""
    affine = volume.affine.copy()
    affine[:3, 3] = nib.affines.apply_affine(affine, [part.start for part in box])
    part = volume.data[tuple(box)].copy(order="K")  # a view would keep the whole
    return replace(volume, data=part, affine=affine)


def position(volume: Volume, plane: Plane, index: int) -> float:
    """World coordinate (mm) of a slice's middle, along the axis across it."""
    voxel = [(size - 1) / 2 for size in volume.data.shape]
    voxel[plane.axis] = index
    return float(nib.affines.apply_affine(volume.affine, voxel)[plane.axis])


def at(volume: Volume, plane: Plane, index: int) -> str:
    """Say which slice it is: ``z = 12 mm``."""
    return f"{plane.coordinate} = {position(volume, plane, index):.0f} mm"


def section(volume: Volume, plane: Plane, index: int) -> NDArray[np.float32]:
    """One slice as it is drawn: rows from the bottom, columns from the left; a view.

    Unlike ``np.take``, which copies a whole array that is stored as NIfTI files are.
    """
    values: NDArray[np.float32] = np.moveaxis(volume.data, plane.axis, 0)[index].T
    return values


def largest_section(mask: NDArray[np.bool_], plane: Plane) -> int:
    """Index of the slice with most of a mask (X, Y, Z)."""
    return int(np.argmax(mask.sum(axis=tuple(a for a in range(3) if a != plane.axis))))


def spread(mask: NDArray[np.bool_], plane: Plane, count: int) -> list[int]:
    """Indices of slices spread over a mask's extent, ends left out; thin masks repeat none."""
    filled = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != plane.axis)))
    low, high = (filled[0], filled[-1]) if filled.size else (0, mask.shape[plane.axis] - 1)
    steps = np.linspace(low, high, count + 2)[1:-1]
    return sorted({round(float(step)) for step in steps})


def window(volume: Volume) -> tuple[float, float]:
    """Grey levels to show: scalp fat may saturate, brain and tumour should not."""
    values = volume.data[np.isfinite(volume.data) & (volume.data > 0)]
    if values.size == 0:
        return 0.0, 1.0
    # Noise around the head is positive, too: the upper half of the values is tissue.
    return 0.0, float(np.percentile(values[values >= np.median(values)], 99)) * 1.1


# ---------------------------------------------------------------------- drawing


def new_figure(rows: int, columns: int, *, bars: bool = False) -> tuple[Figure, list[list[Axes]]]:
    """Make black panels in a grid, with room for a legend below, and for colour bars if asked."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    side, foot = 3.2, 0.35
    height = side * rows + foot
    figure = Figure(figsize=(side * columns + (0.9 if bars else 0), height), facecolor="black")
    FigureCanvasSVG(figure)
    # Ticks are never seen, but would take half of the time of drawing.
    bare = {"xticks": (), "yticks": ()}
    axes = figure.subplots(rows, columns, squeeze=False, subplot_kw=bare)
    right = 0.995 if not bars else 1 - 0.9 / figure.get_figwidth()
    figure.subplots_adjust(0.005, foot / height, right, 1 - 0.25 / height, 0.02, 0.09)
    for ax in axes.ravel():
        ax.set_axis_off()
        ax.set_anchor("N")  # titles of a row on one line, whatever the slices' heights
    return figure, axes.tolist()


def draw_slice(
    ax: Axes, volume: Volume, plane: Plane, index: int, grey: tuple[float, float]
) -> None:
    """Draw one slice in grey, with its position, its sides and a scale."""
    draw_values(ax, volume, plane, index, colours="gray", limits=grey)
    for x, y, words, side, height in (
        (0.0, 1.01, f"{plane.name}, {at(volume, plane, index)}", "left", "bottom"),
        (0.015, 0.5, plane.left, "left", "center"),
        (0.985, 0.5, plane.right, "right", "center"),
    ):
        ax.text(x, y, words, transform=ax.transAxes, ha=side, va=height, **_TEXT)


def draw_scale(ax: Axes) -> None:
    """Draw a bar of 50 mm into a slice's lower left corner."""
    width = ax.get_xlim()[1]
    start, height = 0.03 * width, 0.03 * ax.get_ylim()[1]
    ax.plot([start, start + SCALE_MM], [height, height], color="white", linewidth=2)
    ax.text(start, 2 * height, f"{SCALE_MM} mm", va="bottom", color="white", fontsize=8)


def draw_values(
    ax: Axes,
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
    width, height = _size(volume, plane)
    return ax.imshow(
        values if from_value is None else np.ma.masked_less(values, from_value),
        cmap=colours,
        vmin=limits[0],
        vmax=limits[1],
        alpha=None if from_value is None else 0.7,
        origin="lower",
        extent=(0, width, 0, height),
        interpolation="none",  # voxels as they are, in the file, too
    )


def draw_outline(ax: Axes, mask: Volume, plane: Plane, index: int, outline: Outline) -> None:
    """Draw the contour of a mask in one slice, along the edges of its voxels' neighbours."""
    inside = np.pad(section(mask, plane, index) > 0, 1)
    if not inside.any():
        return
    first, second = (size for axis, size in enumerate(mask.spacing) if axis != plane.axis)
    rows, columns = inside.shape
    ax.contour(
        (np.arange(columns) - 0.5) * first,
        (np.arange(rows) - 0.5) * second,
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


def add_colour_bar(figure: Figure, axes: Sequence[Axes], drawn: Any, label: str) -> None:
    """Draw a colour bar to the right of a row of panels."""
    last = axes[-1].get_position()
    width = figure.get_figwidth()
    place = figure.add_axes(
        (1 - 0.8 / width, last.y0 + 0.1 * last.height, 0.15 / width, 0.8 * last.height)
    )
    bar = figure.colorbar(drawn, cax=place)
    bar.set_label(label, **_TEXT)
    bar.ax.tick_params(colors="white", labelsize=8)
    bar.outline.set_edgecolor("white")


def save(figure: Figure, path: Path) -> None:
    """Write SVG; the same figure gives the same bytes."""
    import matplotlib as mpl

    with replacing(path) as temporary, mpl.rc_context({"svg.hashsalt": "synthtumour_bids"}):
        figure.savefig(temporary, format="svg", facecolor="black", metadata={"Date": None})


def _size(volume: Volume, plane: Plane) -> tuple[float, float]:
    """Width and height of a slice, mm."""
    first, second = (axis for axis in range(3) if axis != plane.axis)
    shape, spacing = volume.data.shape, volume.spacing
    return shape[first] * spacing[first], shape[second] * spacing[second]
