"""How much of a lesion lies in each region of an atlas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.measures.location import values_at

OUTSIDE = "outside of all regions"


@dataclass(frozen=True, eq=False)
class Atlas:
    """Regions of the template's brain.

    Attributes
    ----------
    name
        How tables call it.
    labels
        Number of the region at every voxel, int32 (X, Y, Z); 0 for none.
    affine
        Of its grid, (4, 4), voxel index to the template's world (RAS), mm.
    names
        Of the regions, by their numbers; a region without one is called by its number.
    fingerprint
        Hash of all of it.
    """

    name: str
    labels: NDArray[np.int32]
    affine: NDArray[np.floating]
    names: Mapping[int, str]
    fingerprint: str


@dataclass(frozen=True)
class RegionVolume:
    """What lies in one region: its number in the atlas (0: none), its name, mL, share of all."""

    index: int
    region: str
    volume_mL: float  # noqa: N815 - as in the tables
    share: float


def volumes_by_region(
    points: NDArray[np.floating], voxel_ml: float, atlas: Atlas
) -> list[RegionVolume]:
    """Share a lesion out among regions, the largest share first.

    Parameters
    ----------
    points
        Centres of the lesion's voxels in the template's world (RAS), mm, (N, 3).
    voxel_ml
        Volume of each in the person's own space, mL.
    atlas
        Of the template.

    Returns
    -------
    list
        Regions that have a part of it; their volumes add up to the lesion's.
    """
    found = values_at(points, atlas.labels, atlas.affine, order=0)
    numbers, counts = np.unique(found.astype(int), return_counts=True)
    return [
        RegionVolume(
            int(number),
            atlas.names.get(int(number), f"region {number}") if number else OUTSIDE,
            float(count) * voxel_ml,
            float(count / len(points)),
        )
        for number, count in sorted(
            zip(numbers, counts, strict=True), key=lambda one: (-one[1], one[0])
        )
    ]
