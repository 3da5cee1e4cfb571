"""Where a tumour is: its side and its centre."""

from __future__ import annotations

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

ONE_SIDED = 0.9  # share of the volume from which on a tumour counts as left or right


@dataclass(frozen=True)
class Location:
    """Place of a tumour in the template's space.

    Attributes
    ----------
    left_share
        Part of the volume to the left of the template's midplane, 0 to 1.
    centre
        Centre of mass, mm.
    """

    left_share: float
    centre: tuple[float, float, float]

    @property
    def side(self) -> str:
        """``left``, ``right`` or ``both sides``."""
        if self.left_share >= ONE_SIDED:
            return "left"
        return "right" if self.left_share <= 1 - ONE_SIDED else "both sides"

    def text(self) -> str:
        """Say it in words."""
        x, y, z = (f"{value:.0f}" for value in self.centre)
        share = f" ({100 * self.left_share:.0f} % of it left)" if self.side == "both sides" else ""
        return f"{self.side}{share}, centre at x = {x}, y = {y}, z = {z} mm"


def locate(mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> Location | None:
    """Find a tumour on the template grid.

    Parameters
    ----------
    mask
        Tumour (X, Y, Z).
    affine
        From voxels to the template's space, in mm, x growing to the right.

    Returns
    -------
    ``None`` for an empty mask.
    """
    voxels = np.argwhere(mask)
    if not len(voxels):
        return None
    places = nib.affines.apply_affine(affine, voxels)
    x, y, z = (float(value) for value in places.mean(axis=0))
    # Voxels in the midplane are half on either side.
    left = float((places[:, 0] < 0).mean() + (places[:, 0] == 0).mean() / 2)
    return Location(left, (x, y, z))
