"""How bright brains without a tumour are at each place of the template, at most.

What a network marks in normal brain, or in the hyperintensities of old age, is hardly brighter than
some people without a tumour are just there. Tumours are, in a good share of their voxels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthtumour_bids.volumes import Volume

FEWEST_PEOPLE = 10  # with fewer, normal brain is too often brighter than anybody
REACH_MM = 4.0  # how far a place may be off, as brains are aligned


@dataclass(frozen=True, eq=False)
class Norm:
    """What people without a tumour have at most.

    Attributes
    ----------
    highest
        Brightness, SD of each brain, smoothed as where sides are compared, (X, Y, Z); -inf where
        nobody has brain.
    affine
        Of its grid, (4, 4), voxel index to the template's world, mm.
    people
        How many they are.
    """

    highest: NDArray[np.float32]
    affine: NDArray[np.float64]
    people: int

    @classmethod
    def of(
        cls,
        brains: Iterable[tuple[Volume, NDArray[np.bool_]]],
    ) -> Norm | None:
        """Take the largest of all people near each place and near the place that mirrors it.

        Parameters
        ----------
        brains
            Of each person smoothed brightness, SD, and the brain mask, (X, Y, Z), on one grid for
            all whose axis 0 is symmetric about the midline.

        Returns
        -------
        Norm or None
            None for fewer than `FEWEST_PEOPLE`.
        """
        found: Norm | None = None
        for brightness, brain in brains:
            inside = np.where(brain, brightness.data, -np.inf).astype(np.float32)
            reached = ndimage.maximum_filter(inside, footprint=_ball(brightness.spacing))
            reached = np.maximum(reached, reached[::-1])
            known = found or cls(reached, brightness.affine, 0)
            found = cls(np.maximum(known.highest, reached), known.affine, known.people + 1)
        return found if found and found.people >= FEWEST_PEOPLE else None

    def share_beyond(
        self,
        brightness: NDArray[np.floating],
        part: NDArray[np.bool_],
        affine: NDArray[np.floating],
    ) -> float:
        """Share of a part that is brighter than anybody is there; 1 for an empty one.

        Parameters
        ----------
        brightness
            Of the scan, as in `of`, (X, Y, Z).
        part
            Of its mask, (X, Y, Z).
        affine
            Of their grid, (4, 4), mm. Of another grid the norm's nearest voxels count.
        """
        if not part.any():
            return 1.0
        to_norm = np.linalg.inv(self.affine) @ affine
        places = to_norm[:3, :3] @ np.argwhere(part).T + to_norm[:3, 3:]
        known = ndimage.map_coordinates(
            self.highest, places.round(), order=0, mode="constant", cval=-np.inf
        )
        return float(np.mean(brightness[part] > known))


def _ball(spacing: Sequence[float]) -> NDArray[np.bool_]:
    reach = [int(REACH_MM // size) for size in spacing]
    axes = [np.arange(-n, n + 1) * size for n, size in zip(reach, spacing, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    near: NDArray[np.bool_] = x**2 + y**2 + z**2 <= REACH_MM**2
    return near
