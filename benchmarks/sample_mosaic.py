"""A sheet of training samples to check by eye, as PNG.

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

MASK_COLOUR = "#ff4040"
DPI = 90


def synthetic_mosaic(
    samples: Sequence[tuple[NDArray[Any], NDArray[Any], str]],
    path: Path,
    title: str,
    spacing: Spacing,
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
            _slice(ax, image, index, window, spacing)
        _contour(axes[row + 1][column], label > 0, index)
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


def _slice(
    ax: Axes,
    image: NDArray[Any],
    index: int,
    window: tuple[float, float],
    spacing: Spacing,
) -> None:
    ax.imshow(
        image[:, :, index].T,
        cmap="gray",
        vmin=window[0],
        vmax=window[1],
        origin="lower",
        aspect=spacing[1] / spacing[0],
        interpolation="nearest",
    )


def _contour(ax: Axes, mask: NDArray[Any], index: int) -> None:
    inside = mask[:, :, index].T
    if inside.any() and not inside.all():
        ax.contour(inside.astype(np.float32), levels=[0.5], colors=[MASK_COLOUR], linewidths=0.8)
