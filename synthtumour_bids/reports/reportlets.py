"""Pictures to check a run by eye: mosaics as PNG.

Arrays are (X, Y, Z) in RAS order (``nibabel.as_closest_canonical`` first); left in a picture is
the subject's left.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Spacing = tuple[float, float, float]

ISOTROPIC: Spacing = (1.0, 1.0, 1.0)
ORIENTATIONS = ((2, "axial"), (1, "coronal"), (0, "sagittal"))
MASK_COLOUR = "#ff4040"
OTHER_COLOUR = "#40c0ff"
DPI = 90


def brain_mask_mosaic(
    image: NDArray[Any], mask: NDArray[Any], path: Path, title: str, spacing: Spacing = ISOTROPIC
) -> None:
    """Contour of the brain mask on seven slices of each orientation.

    Parameters
    ----------
    image, mask
        The scan and its brain mask, (X, Y, Z).
    path
        PNG file to write.
    title
        Line above.
    spacing
        Voxel size in mm.
    """
    figure, axes = _figure(3, 7, title)
    window = _window(image)
    for row, (axis, name) in enumerate(ORIENTATIONS):
        for column, index in enumerate(_spread(mask, axis, 7)):
            ax = axes[row][column]
            _slice(ax, image, axis, index, window, spacing)
            _contour(ax, mask, axis, index, MASK_COLOUR)
        axes[row][0].set_title(name, color="white", fontsize=8, loc="left")
    _save(figure, path)


def tumour_mosaic(
    image: NDArray[Any],
    mask: NDArray[Any],
    probability: NDArray[Any],
    path: Path,
    title: str,
    spacing: Spacing = ISOTROPIC,
    truth: NDArray[Any] | None = None,
) -> None:
    """The segmentation on the slices where the tumour is largest, and on axial slices through it.

    Above: the plain slice of each orientation beside the same with the probability in colours
    and the mask's contour. Below: six axial slices from the tumour's lower to its upper end.
    An empty mask is shown where the probability is highest.

    Parameters
    ----------
    image, mask, probability
        The scan, the mask and the probability of tumour in [0, 1]; (X, Y, Z).
    path
        PNG file to write.
    title
        Line above.
    spacing
        Voxel size in mm.
    truth
        Manual mask, drawn in blue.
    """
    figure, axes = _figure(2, 6, title)
    window = _window(image)
    seen = mask > 0 if np.any(mask) else probability >= probability.max()
    for position, (axis, name) in enumerate(ORIENTATIONS):
        others = tuple(a for a in range(3) if a != axis)
        index = int(np.argmax(seen.sum(axis=others)))
        plain, marked = axes[0][2 * position], axes[0][2 * position + 1]
        for ax in (plain, marked):
            _slice(ax, image, axis, index, window, spacing)
        _heat(marked, probability, axis, index, spacing)
        _contours(marked, mask, truth, axis, index)
        plain.set_title(name, color="white", fontsize=8, loc="left")
    for ax, index in zip(axes[1], _spread(seen, 2, 6), strict=True):
        _slice(ax, image, 2, index, window, spacing)
        _contours(ax, mask, truth, 2, index)
    if not np.any(mask):
        axes[1][0].set_title("no tumour found", color="white", fontsize=8, loc="left")
    _save(figure, path)


def synthetic_mosaic(
    samples: Sequence[tuple[NDArray[Any], NDArray[Any], str]],
    path: Path,
    title: str = "Synthetic training examples",
    spacing: Spacing = ISOTROPIC,
) -> None:
    """Axial slice with most tumour of synthetic or mixed samples, without and with the contour.

    Parameters
    ----------
    samples
        Image, label and caption of each; (X, Y, Z).
    path
        PNG file to write.
    title
        Line above.
    spacing
        Voxel size in mm.
    """
    columns = min(4, max(1, len(samples)))
    rows = -(-len(samples) // columns)
    figure, axes = _figure(2 * max(rows, 1), columns, title)
    for number, (image, label, caption) in enumerate(samples):
        row, column = 2 * (number // columns), number % columns
        # Samples without a tumour are shown where there is most brain.
        shown = label if (label > 0).any() else image
        index = int(np.argmax((shown > 0).sum(axis=(0, 1))))
        window = _window(image)
        for ax in (axes[row][column], axes[row + 1][column]):
            _slice(ax, image, 2, index, window, spacing)
        _contour(axes[row + 1][column], label > 0, 2, index, MASK_COLOUR)
        axes[row][column].set_title(caption, color="white", fontsize=7)
    _save(figure, path)


def _figure(rows: int, columns: int, title: str) -> tuple[Figure, list[list[Axes]]]:
    """Make black panels in a grid; no state of pyplot is touched."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.9 * columns, 2.1 * rows + 0.4), facecolor="black")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.ravel():
        ax.set_axis_off()
    height = 2.1 * rows + 0.4
    figure.suptitle(title, color="white", fontsize=10, y=1 - 0.1 / height, va="top")
    figure.subplots_adjust(0.005, 0.005, 0.995, 1 - 0.55 / height, 0.02, 0.1)
    return figure, axes.tolist()


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI, facecolor="black")


def _window(image: NDArray[Any]) -> tuple[float, float]:
    """Grey levels to show: scalp fat may saturate, brain and tumour should not."""
    values = image[np.isfinite(image) & (image > 0)]
    if values.size == 0:
        return 0.0, 1.0
    # Noise around the head is positive, too: the upper half of the values is tissue.
    return 0.0, float(np.percentile(values[values >= np.median(values)], 99)) * 1.1


def _spread(mask: NDArray[Any], axis: int, count: int) -> list[int]:
    """Indices of slices spread over a mask's extent, ends left out."""
    others = tuple(a for a in range(3) if a != axis)
    filled = np.flatnonzero(np.any(mask > 0, axis=others))
    low, high = (filled[0], filled[-1]) if filled.size else (0, mask.shape[axis] - 1)
    steps = np.linspace(low, high, count + 2)[1:-1]
    return [round(float(step)) for step in steps]


def _slice(
    ax: Axes,
    image: NDArray[Any],
    axis: int,
    index: int,
    window: tuple[float, float],
    spacing: Spacing,
) -> None:
    ax.imshow(
        np.take(image, index, axis).T,
        cmap="gray",
        vmin=window[0],
        vmax=window[1],
        origin="lower",
        aspect=_aspect(axis, spacing),
        interpolation="nearest",
    )


def _heat(ax: Axes, probability: NDArray[Any], axis: int, index: int, spacing: Spacing) -> None:
    values = np.take(probability, index, axis).T
    ax.imshow(
        np.ma.masked_less(values, 0.1),
        cmap="hot",
        vmin=0,
        vmax=1.2,
        alpha=0.45,
        origin="lower",
        aspect=_aspect(axis, spacing),
        interpolation="nearest",
    )


def _contours(
    ax: Axes, mask: NDArray[Any], truth: NDArray[Any] | None, axis: int, index: int
) -> None:
    if truth is not None:
        _contour(ax, truth, axis, index, OTHER_COLOUR)
    _contour(ax, mask, axis, index, MASK_COLOUR)


def _contour(ax: Axes, mask: NDArray[Any], axis: int, index: int, colour: str) -> None:
    inside = np.take(mask, index, axis).T > 0
    if inside.any() and not inside.all():
        ax.contour(inside.astype(np.float32), levels=[0.5], colors=[colour], linewidths=0.8)


def _aspect(axis: int, spacing: Spacing) -> float:
    first, second = (s for a, s in enumerate(spacing) if a != axis)
    return second / first
