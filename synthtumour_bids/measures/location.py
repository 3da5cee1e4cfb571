"""Where a lesion lies in the template's space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

BOTH_SIDES = 0.1  # smaller share from which a lesion lies on both sides
CROSSING_MM = 3.0  # beyond the midline on both sides: what an affine registration leaves open


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Maps of the average brain on one grid, each float32 (X, Y, Z).

    Attributes
    ----------
    affine
        Of the grid, (4, 4), voxel index to the template's world (RAS), mm.
    wm, gm, csf
        Probabilities of tissue, in [0, 1].
    ventricle_distance
        mm to the lateral and third ventricles, negative inside.
    """

    affine: NDArray[np.floating]
    wm: NDArray[np.float32]
    gm: NDArray[np.float32]
    csf: NDArray[np.float32]
    ventricle_distance: NDArray[np.float32]


@dataclass(frozen=True)
class Location:
    """Where a whole lesion lies, all its foci together.

    Attributes
    ----------
    side
        ``left`` or ``right`` of the person, or ``both`` where a tenth and more lies on either.
    left_share
        Share of the volume on the left, in [0, 1]; the rest is on the right.
    crosses_midline
        Whether one focus reaches more than 3 mm beyond the midline on both sides.
    centre_x_mm, centre_y_mm, centre_z_mm
        Centre of mass, RAS.
    midline_distance_mm
        Shortest distance to the template's midline; 0 where it crosses.
    ventricle_distance_mm
        Shortest distance to the lateral and third ventricles of the average brain; 0 inside.
    wm_share, gm_share, csf_share
        Tissue that the average brain has in its place, in [0, 1].
    """

    side: str
    left_share: float
    crosses_midline: bool
    centre_x_mm: float
    centre_y_mm: float
    centre_z_mm: float
    midline_distance_mm: float
    ventricle_distance_mm: float
    wm_share: float
    gm_share: float
    csf_share: float


def locate(
    points: NDArray[np.floating], foci: NDArray[np.integer], around: Surroundings
) -> Location | None:
    """Say where a lesion lies.

    Parameters
    ----------
    points
        Centres of its voxels in the template's world (RAS), mm, (N, 3); all voxels have one volume.
    foci
        Number of the focus that each belongs to, (N,).
    around
        What lies around it in the average brain.

    Returns
    -------
    ``None`` for no points.
    """
    if not len(points):
        return None
    x = points[:, 0]
    left = float(np.mean(x < 0) + np.mean(x == 0) / 2)
    larger = "left" if left > 0.5 else "right"
    reaches = [x[foci == one] for one in np.unique(foci)]
    crosses = any(one.min() < -CROSSING_MM and one.max() > CROSSING_MM for one in reaches)
    wm, gm, csf = (
        float(values_at(points, one, around.affine).mean())
        for one in (around.wm, around.gm, around.csf)
    )
    ventricle = values_at(points, around.ventricle_distance, around.affine, mode="nearest")
    centre = points.mean(axis=0)
    return Location(
        side="both" if min(left, 1 - left) >= BOTH_SIDES else larger,
        left_share=left,
        crosses_midline=crosses,
        centre_x_mm=float(centre[0]),
        centre_y_mm=float(centre[1]),
        centre_z_mm=float(centre[2]),
        midline_distance_mm=0.0 if crosses else float(np.abs(x).min()),
        ventricle_distance_mm=max(0.0, float(ventricle.min())),
        wm_share=wm,
        gm_share=gm,
        csf_share=csf,
    )


def surface_distance(
    mask: NDArray[np.bool_], brain: NDArray[np.bool_], spacing: NDArray[np.floating]
) -> float | None:
    """Shortest distance of a lesion to the surface of the person's own brain.

    Parameters
    ----------
    mask, brain
        On one grid, (X, Y, Z).
    spacing
        Voxel size along its axes, mm.

    Returns
    -------
    mm between centres of voxels, 0 where it has one of the brain's outermost or reaches beyond;
    ``None`` for an empty mask.
    """
    if not mask.any():
        return None
    box = ndimage.find_objects((mask | brain).astype(np.uint8))[0]
    mask, brain = mask[box], brain[box]
    mask, brain = np.pad(mask, 1), np.pad(brain, 1)
    deep = ndimage.binary_erosion(brain)
    if (mask & ~deep).any():
        return 0.0
    return float(ndimage.distance_transform_edt(deep | ~brain, sampling=spacing)[mask].min())


def values_at(
    points: NDArray[np.floating],
    values: NDArray[np.number],
    affine: NDArray[np.floating],
    *,
    order: int = 1,
    mode: str = "constant",
) -> NDArray[np.number]:
    """Values of a map at points of its world, (N,); 0 outside the map, or as ``mode`` says."""
    inverse = np.linalg.inv(affine)
    indices = points @ inverse[:3, :3].T + inverse[:3, 3]
    found: NDArray[np.number] = ndimage.map_coordinates(values, indices.T, order=order, mode=mode)
    return found
