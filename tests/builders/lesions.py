"""Ellipsoids with known truth, on grids in any order and position."""

from __future__ import annotations

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from scipy.spatial.transform import Rotation

OBLIQUE = "oblique"


@dataclass(frozen=True, eq=False)
class Lesion:
    """An ellipsoid whose axes are those of its grid.

    `radii` are in mm, in RAS order of the axes; `centre` is in the world, mm.
    """

    mask: np.ndarray
    affine: np.ndarray
    radii: tuple[float, float, float]
    centre: tuple[float, float, float]


def ellipsoid(
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    *,
    order: str = "RAS",
    spacing: tuple[float, float, float] = (2.0, 2.0, 2.0),
) -> Lesion:
    """Draw one on a grid of 140 mm around the origin, stored in an axis order or tilted."""
    shape = tuple(int(np.ceil(140 / size)) for size in spacing)
    affine = np.diag([*spacing, 1.0])
    rotation = np.eye(3)
    if order == OBLIQUE:
        rotation = Rotation.from_euler("zyx", [12, -9, 15], degrees=True).as_matrix()
    affine[:3, :3] = rotation @ affine[:3, :3]
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    i, j, k = np.ogrid[tuple(slice(n) for n in shape)]
    middle = rotation.T @ (np.array(centre) - affine[:3, 3])
    mask = (
        sum(
            ((index * size - place) / radius) ** 2
            for index, size, place, radius in zip((i, j, k), spacing, middle, radii, strict=True)
        )
        <= 1
    )
    image = nib.Nifti1Image(mask.astype(np.uint8), affine)
    if order not in ("RAS", OBLIQUE):
        target = nib.orientations.axcodes2ornt(tuple(order))
        own = nib.orientations.axcodes2ornt(("R", "A", "S"))
        image = image.as_reoriented(nib.orientations.ornt_transform(own, target))
    return Lesion(np.asanyarray(image.dataobj) > 0, image.affine, radii, centre)
