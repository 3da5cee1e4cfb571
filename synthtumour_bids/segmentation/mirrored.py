"""Tissue that could be where a lesion is: the other side of the brain, or another brain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthtumour_bids.synthesis.geometry import box_of

REACH_MM = 12.0  # around the hole: where tissue and surroundings are compared
SHIFTS_MM = (-4.0, -2.0, 0.0, 2.0, 4.0)  # along each axis of the grid, tried for a better fit
FINE_MM = (-1.0, 0.0, 1.0)
BROAD_MM = 5.0  # standard deviation of the Gaussian that parts broad and fine structure
SURE = 0.99  # share of a place between voxels that must be healthy
FEWEST = 10  # voxels, below which nothing can be compared


@dataclass(frozen=True, eq=False)
class Guide:
    """Tissue from elsewhere, laid over a hole and its surroundings.

    Attributes
    ----------
    values
        On the image's grid, (X, Y, Z), float32; in its units.
    known
        Where there is such tissue.
    likeness
        Correlation with what is around the hole, in [-1, 1].
    shares
        How much of the broad and of the fine structure elsewhere is found around the hole, too, in
        [0, 1]; so much of it is in the values.
    """

    values: NDArray[np.float32]
    known: NDArray[np.bool_]
    likeness: float
    shares: tuple[float, float]

    def covers(self, hole: NDArray[np.bool_]) -> float:
        """Share of a hole that there is tissue for."""
        return float(self.known[hole].mean())


@dataclass(frozen=True, eq=False)
class Source:
    """Where tissue may come from.

    Attributes
    ----------
    image, healthy
        On a grid of its own, (X, Y, Z); in the units of the image to be filled.
    way
        Voxel index of the image to be filled to the index of the place that is like it, (4, 4).
    """

    image: NDArray[np.floating]
    healthy: NDArray[np.bool_]
    way: NDArray[np.floating]


def guide_from(
    source: Source,
    image: NDArray[np.floating],
    brain: NDArray[np.bool_],
    hole: NDArray[np.bool_],
    spacing: tuple[float, float, float],
) -> Guide:
    """Lay tissue over a hole and what is around it.

    No brain mirrors itself, let alone another one: what both do not share around the hole, they
    will not share in it. So the tissue is shifted to where it fits the surroundings best, and its
    broad and fine structure are weakened to what explains them (least squares).

    Parameters
    ----------
    source
        Of the tissue.
    image, brain
        To be filled, (X, Y, Z).
    hole
        Where; what is there does not count.
    spacing
        Voxel size along the axes, mm.
    """
    x, y, z = (int(np.ceil(REACH_MM / size)) for size in spacing)
    box = box_of(hole).grown((x, y, z), hole.shape)
    cut, origin = box.slices, np.array(box.start, dtype=float)[:, None]
    far = ndimage.distance_transform_edt(~hole[cut], sampling=spacing)
    around = brain[cut] & ~hole[cut] & (far <= REACH_MM)
    wanted = hole[cut] | around
    ring, own = around[wanted], image[cut][around].astype(np.float64)
    places = source.way[:3, :3] @ (np.argwhere(wanted).T + origin) + source.way[:3, 3:]
    healthy = source.healthy.astype(np.float32)
    likeness, shift = _best_shift(source.image, healthy, places[:, ring], own, spacing)
    places = places + shift[:, None]
    whole, sure = np.zeros(wanted.shape, np.float32), np.zeros(wanted.shape, bool)
    whole[wanted] = _at(source.image, places)
    sure[wanted] = _at(healthy, places) > SURE
    broad = _smooth(whole, sure, spacing)
    shares = _shares(image[cut], whole, broad, around & sure)
    mixed = shares[0] * broad + shares[1] * (whole - broad)  # differences alone count
    values, known = np.zeros(hole.shape, np.float32), np.zeros(hole.shape, bool)
    values[cut], known[cut] = np.where(sure, mixed, 0), sure
    return Guide(values, known, likeness, shares)


def _at(values: NDArray[np.floating], places: NDArray[np.floating]) -> NDArray[np.float32]:
    """Values at places between voxels, (3, N); 0 outside the grid."""
    found: NDArray[np.float32] = ndimage.map_coordinates(
        values.astype(np.float32, copy=False), places, order=1, mode="constant"
    )
    return found


def _best_shift(
    image: NDArray[np.floating],
    healthy: NDArray[np.float32],
    places: NDArray[np.floating],
    own: NDArray[np.float64],
    spacing: tuple[float, float, float],
) -> tuple[float, NDArray[np.float64]]:
    """Highest correlation with what is around the hole, and the shift that gives it, in voxels."""
    best, shift = -1.0, np.zeros(3)
    for steps in (SHIFTS_MM, FINE_MM):
        middle = shift
        for step in np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3):
            tried = middle + step / np.asarray(spacing)
            moved = places + tried[:, None]
            sure = _at(healthy, moved) > SURE
            if sure.sum() < max(FEWEST, sure.size // 2):
                continue
            alike = _correlation(_at(image, moved)[sure], own[sure])
            if alike > best + 1e-6:
                best, shift = alike, tried
    return best, shift


def _correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    if one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _smooth(
    values: NDArray[np.float32], known: NDArray[np.bool_], spacing: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Broad structure: means over what is known."""
    sigma = [BROAD_MM / size for size in spacing]
    cover = ndimage.gaussian_filter(known.astype(np.float32), sigma)
    total = ndimage.gaussian_filter(np.where(known, values, 0), sigma)
    smooth: NDArray[np.float32] = np.divide(
        total, cover, out=np.zeros_like(total), where=cover > 1e-3
    )
    return smooth


def _shares(
    image: NDArray[np.floating],
    whole: NDArray[np.float32],
    broad: NDArray[np.float32],
    around: NDArray[np.bool_],
) -> tuple[float, float]:
    """How much of broad and fine structure is around the hole, too."""
    if np.count_nonzero(around) < FEWEST:
        return 0.0, 0.0
    columns = [broad[around], (whole - broad)[around], np.ones(np.count_nonzero(around))]
    found = np.linalg.lstsq(np.stack(columns, axis=1), image[around], rcond=None)[0]
    broad_share, fine_share = np.clip(found[:2], 0, 1)
    return float(broad_share), float(fine_share)
