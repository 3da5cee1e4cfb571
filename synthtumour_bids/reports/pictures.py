"""The pictures of a scan: what is drawn on which slices.

Volumes are in RAS order and lie on one grid. Each function writes an SVG file and returns a
description of it for those who cannot see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthtumour_bids.reports import panels, slices
from synthtumour_bids.reports.panels import Outline
from synthtumour_bids.reports.slices import AXIAL, PLANES
from synthtumour_bids.volumes import Volume

MARGIN_MM = 8.0  # around brains that are cut out
LEAST_PROBABILITY = 0.1  # what is below stays transparent
LEAST_ENTROPY = 0.3  # bit; that of a probability of .05
# Seen on the brightest colours of both maps, on which the orange of other pictures is not.
ON_COLOURS = replace(panels.TUMOUR, colour="#D55E00")


def brain_picture(head: Volume, brain: Volume, path: Path) -> str:
    """Draw the contour of the brain mask on five slices of each orientation."""
    _spread_over(brain.mask, head, [(brain, panels.BRAIN)], path)
    return "Five axial, five coronal and five sagittal slices of the scan with the brain mask."


def registration_pictures(
    brain: Volume, template: Volume, paths: tuple[Path, Path]
) -> tuple[str, str]:
    """Draw the aligned brain and the template, both with the outline of the template's brain."""
    inside = template.data > 0.05 * template.data.max()
    outline = Volume(inside.astype(np.float32), template.affine, template.spacing)
    drawn = [(outline, Outline("outline of the template's brain", panels.BRAIN.colour))]
    for shown, path in zip((brain, template), paths, strict=True):
        _spread_over(inside, shown, drawn, path, count=4)
    where = "Four axial, four coronal and four sagittal slices"
    return f"{where} of the aligned scan.", "The same slices of the template."


def t1w_pictures(
    head: Volume, t1w: Volume, mask: Volume, brain: Volume, paths: tuple[Path, Path]
) -> tuple[str, str]:
    """Draw scan and T1w image on one grid, both with the outlines of brain and tumour."""
    drawn = [(brain, panels.BRAIN_BESIDE_TUMOUR), (mask, panels.TUMOUR)]
    for shown, path in zip((head, t1w), paths, strict=True):
        _spread_over(brain.mask, shown, drawn, path, count=4)
    where = "Four axial, four coronal and four sagittal slices"
    return f"{where} of the scan on the T1w image's grid.", "The same slices of the T1w image."


def tumour_picture(head: Volume, mask: Volume, seen: NDArray[np.bool_], path: Path) -> str:
    """Draw three planes through the lesion's largest section, without and with the contour."""
    figure, grid = panels.new_figure(2, len(PLANES))
    grey = slices.window(head)
    places = []
    for column, plane in enumerate(PLANES):
        index = slices.largest_section(seen, plane)
        places.append(slices.at(head, plane, index))
        for row in grid:
            panels.draw_slice(row[column], head, plane, index, grey)
        panels.draw_outline(grid[1][column], mask, plane, index, panels.TUMOUR)
    panels.draw_scale(grid[0][0], head, AXIAL)
    panels.add_legend(figure, [panels.TUMOUR])
    panels.save(figure, path)
    return (
        f"Three planes through the lesion ({', '.join(places)}), above the scan alone, below with "
        "the contour of the tumour mask."
    )


def extent_picture(head: Volume, mask: Volume, seen: NDArray[np.bool_], path: Path) -> str:
    """Draw up to eight axial slices from the lesion's lower to its upper end."""
    indices = slices.spread(seen, AXIAL, 8)
    columns = 4
    figure, grid = panels.new_figure(-(-len(indices) // columns), columns)
    grey = slices.window(head)
    for number, index in enumerate(indices):
        panel = grid[number // columns][number % columns]
        panels.draw_slice(panel, head, AXIAL, index, grey)
        panels.draw_outline(panel, mask, AXIAL, index, panels.TUMOUR)
    panels.draw_scale(grid[0][0], head, AXIAL)
    panels.add_legend(figure, [panels.TUMOUR])
    panels.save(figure, path)
    ends = " to ".join(slices.at(head, AXIAL, index) for index in (indices[0], indices[-1]))
    return f"{len(indices)} axial slices through the lesion, {ends}, with the tumour mask."


def certainty_picture(
    head: Volume,
    probability: Volume,
    uncertainty: Volume,
    mask: Volume,
    seen: NDArray[np.bool_],
    path: Path,
) -> str:
    """Draw the probability of tumour and its entropy in colours on the lesion's three planes."""
    figure, grid = panels.new_figure(2, len(PLANES), bars=True)
    grey = slices.window(head)
    rows = (
        (probability, "viridis", LEAST_PROBABILITY, "probability of tumour"),
        (uncertainty, "cividis", LEAST_ENTROPY, "entropy, bit"),
    )
    for row, (values, colours, least, label) in zip(grid, rows, strict=True):
        drawn = None
        for panel, plane in zip(row, PLANES, strict=True):
            index = slices.largest_section(seen, plane)
            panels.draw_slice(panel, head, plane, index, grey)
            drawn = panels.draw_values(
                panel, values, plane, index, colours=colours, limits=(0, 1), from_value=least
            )
            panels.draw_outline(panel, mask, plane, index, ON_COLOURS)
        panels.add_colour_bar(figure, row, drawn, label)
    panels.draw_scale(grid[0][0], head, AXIAL)
    panels.add_legend(figure, [ON_COLOURS])
    panels.save(figure, path)
    return (
        "Three planes through the lesion; above in colours the probability of tumour (0 to 1), "
        "below its entropy (0 to 1 bit)."
    )


def comparison_picture(
    head: Volume,
    drawn: Sequence[tuple[Volume, Outline]],
    seen: NDArray[np.bool_],
    path: Path,
    side: float | None = None,
) -> str:
    """Draw the contours of masks on the lesion's three planes; `side` as `new_figure` takes it."""
    figure, grid = panels.new_figure(1, len(PLANES), side=side)
    grey = slices.window(head)
    for panel, plane in zip(grid[0], PLANES, strict=True):
        index = slices.largest_section(seen, plane)
        panels.draw_slice(panel, head, plane, index, grey)
        for mask, outline in drawn:
            panels.draw_outline(panel, mask, plane, index, outline)
    panels.draw_scale(grid[0][0], head, AXIAL)
    panels.add_legend(figure, [outline for _, outline in drawn])
    panels.save(figure, path)
    names = " and ".join(outline.name for _, outline in drawn)
    return f"Three planes through the lesion with the contours of {names}."


def twin_picture(head: Volume, twin: Volume, mask: Volume, path: Path) -> str:
    """Draw an image and its healthy twin, both with the mask, on the lesion's three planes."""
    figure, grid = panels.new_figure(2, len(PLANES))
    grey = slices.window(head)  # of both, so that they can be compared
    seen = lesion_to_show(mask.mask, mask.data)
    places = []
    for column, plane in enumerate(PLANES):
        index = slices.largest_section(seen, plane)
        places.append(slices.at(head, plane, index))
        for row, shown in zip(grid, (head, twin), strict=True):
            panels.draw_slice(row[column], shown, plane, index, grey)
            panels.draw_outline(row[column], mask, plane, index, panels.TUMOUR)
    panels.draw_scale(grid[0][0], head, AXIAL)
    panels.add_legend(figure, [panels.TUMOUR])
    panels.save(figure, path)
    return (
        f"Three planes through the lesion ({', '.join(places)}), above the image, below the "
        "healthy twin, both with the contour of the tumour mask."
    )


def pseudo_label_picture(image: Volume, label: Volume, path: Path) -> str:
    """Draw a brain with its pseudo-label through its largest part; an empty one, the middle."""
    image, label = _cut((image, label), image.mask | label.mask)
    seen = lesion_to_show(label.mask, image.data) if label.mask.any() else image.mask
    drawn = [(label, panels.PSEUDO_LABEL)]
    return comparison_picture(image, drawn, seen, path, panels.CARD)


def sample_picture(images: Sequence[Volume], label: Volume, path: Path) -> str:
    """Draw the axial slice with most of a label: each image, and the last with the contour.

    Where the label is empty, the slice with most brain is drawn.
    """
    label, *images = _cut((label, *images), images[-1].mask | label.mask)
    figure, grid = panels.new_figure(1, len(images) + 1, side=panels.CARD)
    index = slices.largest_section(label.mask if label.mask.any() else images[-1].mask, AXIAL)
    for panel, image in zip(grid[0], (*images, images[-1]), strict=True):
        panels.draw_slice(panel, image, AXIAL, index, slices.window(image))
    panels.draw_outline(grid[0][-1], label, AXIAL, index, panels.LABEL)
    panels.draw_scale(grid[0][0], label, AXIAL)
    panels.add_legend(figure, [panels.LABEL])
    panels.save(figure, path)
    before = "the image" if len(images) == 1 else "the image before and after refinement"
    return f"Axial slice {slices.at(label, AXIAL, index)}: {before}, then with the label's contour."


def lesion_to_show(mask: NDArray[np.bool_], probability: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The largest part of a mask; of an empty one, where the probability is highest.

    Parameters
    ----------
    mask, probability
        On one grid, (X, Y, Z).
    """
    if not mask.any():
        return np.asarray(probability >= probability.max())
    parts, count = ndimage.label(mask, np.ones((3, 3, 3)))
    sizes = ndimage.sum_labels(mask, parts, np.arange(1, count + 1))
    return np.asarray(parts == 1 + int(np.argmax(sizes)))


def _cut(volumes: Sequence[Volume], region: NDArray[np.bool_]) -> list[Volume]:
    """Cut volumes to what is to be seen, with a margin."""
    box = slices.box_around(region, volumes[0].spacing, MARGIN_MM)
    return [slices.cropped(volume, box) for volume in volumes]


def _spread_over(
    region: NDArray[np.bool_],
    shown: Volume,
    drawn: Sequence[tuple[Volume, Outline]],
    path: Path,
    count: int = 5,
) -> None:
    figure, grid = panels.new_figure(len(PLANES), count)
    grey = slices.window(shown)
    for row, plane in zip(grid, PLANES, strict=True):
        for panel, index in zip(row, slices.spread(region, plane, count), strict=False):
            panels.draw_slice(panel, shown, plane, index, grey)
            for mask, outline in drawn:
                panels.draw_outline(panel, mask, plane, index, outline)
    panels.draw_scale(grid[0][0], shown, AXIAL)
    panels.add_legend(figure, [outline for _, outline in drawn])
    panels.save(figure, path)
