"""How big a lesion is, in the person's own millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthtumour_bids.measures.extent import border_points, length, longest_chord, longest_line

NEIGHBOURS = np.ones((3, 3, 3), dtype=int)  # diagonal ones count, as where specks are removed


@dataclass(frozen=True)
class Size:
    """Of the largest focus of a lesion, on the scan's own grid.

    Attributes
    ----------
    largest_focus_mL
        Its volume.
    largest_focus_share
        Of the whole lesion's volume, in [0, 1].
    longest_diameter_mm
        Longest line between two points of its surface, in any direction.
    axial_diameter_mm
        Longest line between two points of its border in one axial slice.
    axial_perpendicular_mm
        Longest line inside it in that slice, at right angles to the axial diameter.
    axial_slice
        Index of that slice, from 0, along the grid's axis nearest to the body's long axis.
    surface_mm2
        Area of its surface.
    sphericity
        Surface of the ball of the same volume over its own: 1 for a ball, less for all else, but
        for small foci in one or two thick slices.
    """

    largest_focus_mL: float  # noqa: N815 - units as in the tables
    largest_focus_share: float
    longest_diameter_mm: float
    axial_diameter_mm: float
    axial_perpendicular_mm: float
    axial_slice: int
    surface_mm2: float
    sphericity: float


def size_of(mask: NDArray[np.bool_], affine: NDArray[np.floating]) -> Size | None:
    """Measure the largest focus (26-connected) of a lesion.

    Diameters follow RANO, which measures the longest diameter in an axial slice and its
    perpendicular (Wen et al., J Clin Oncol 2010; Wen et al., J Clin Oncol 2023).

    Parameters
    ----------
    mask
        Of the lesion, (X, Y, Z), in any order of the axes.
    affine
        Of the grid, (4, 4), voxel index to world (RAS), mm, its axes at right angles.

    Returns
    -------
    ``None`` for an empty mask.
    """
    labels, count = ndimage.label(mask, NEIGHBOURS)
    if not count:
        return None
    sizes = np.bincount(labels.ravel())[1:]
    number = 1 + int(np.argmax(sizes))
    box = ndimage.find_objects(labels)[number - 1]
    focus = np.pad(labels[box] == number, 1)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    axis = int(np.argmax(np.abs(affine[2, :3] / spacing)))
    diameter, perpendicular, index = _axial(focus, spacing, axis)
    surface, sphericity = _surface(focus, spacing)
    return Size(
        largest_focus_mL=float(sizes[number - 1] * np.prod(spacing)) / 1000,
        largest_focus_share=float(sizes[number - 1] / sizes.sum()),
        longest_diameter_mm=length(longest_line(border_points(focus, spacing))),
        axial_diameter_mm=diameter,
        axial_perpendicular_mm=perpendicular,
        axial_slice=box[axis].start + index - 1,  # the box is padded by one
        surface_mm2=surface,
        sphericity=sphericity,
    )


def _axial(
    focus: NDArray[np.bool_], spacing: NDArray[np.floating], axis: int
) -> tuple[float, float, int]:
    """Longest diameter in a slice across an axis, its perpendicular (mm), and the slice."""
    in_plane = np.delete(spacing, axis)
    slices = np.moveaxis(focus, axis, 0)
    lines = {
        index: longest_line(border_points(one, in_plane))
        for index, one in enumerate(slices)
        if one.any()
    }
    best = max(lines, key=lambda index: length(lines[index]))
    direction = lines[best][1] - lines[best][0]
    across = np.array([-direction[1], direction[0]])
    return length(lines[best]), longest_chord(slices[best], in_plane.tolist(), across), best


def _surface(focus: NDArray[np.bool_], spacing: NDArray[np.floating]) -> tuple[float, float]:
    """Area in mm², and sphericity, both by Crofton's formula."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(focus.transpose().astype(np.uint8))
    image.SetSpacing([float(size) for size in spacing])
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(image)
    return float(shape.GetPerimeter(1)), float(shape.GetRoundness(1))
