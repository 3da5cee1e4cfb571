"""One subject's anatomy: the average head, bent, turned, scaled and folded anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from synthtumour_bids.simulation.anatomy import average_head, to_voxels
from synthtumour_bids.simulation.fields import smooth_field, smooth_step
from synthtumour_bids.simulation.folds import Folds, draw_sulci, fold

VENTRICLE_CORE = 6.0  # mm; about the depth of the average ventricle's middle
VENTRICLE_REACH = 45.0  # mm from the ventricles at which nothing gives way any more
MARGIN = 12.0  # mm around the brain in which maps are computed
FAR = 100.0  # mm; what distances are beyond


@dataclass(frozen=True)
class Variation:
    """How a subject differs from the average head.

    Attributes
    ----------
    scale
        Size along x, y, z relative to the average.
    rotation
        Degrees about x, y, z: how the head lies in the scanner.
    shift
        mm along x, y, z.
    bend
        Standard deviations in mm of the coarse and the fine displacement fields.
    ventricles
        mm by which the ventricles' walls move outwards (negative: narrow ventricles).
    atrophy
        Weight of CSF against tissue where the template's own folds are kept, 1 on average.
    """

    scale: tuple[float, float, float]
    rotation: tuple[float, float, float]
    shift: tuple[float, float, float]
    bend: tuple[float, float]
    ventricles: float
    atrophy: float


@dataclass(frozen=True)
class Anatomy:
    """A subject's brain on one grid, float32 (X, Y, Z).

    ``wm``, ``gm`` and ``csf`` sum to one in the brain; ``brain`` is its mask; ``mni`` holds the
    position of each voxel in the average head, mm, (3, X, Y, Z). Distances are in mm;
    ``pial_depth`` is that below the cortex's surface, sulci included, ``deep_distance`` that to
    what no sulcus reaches. Far outside the brain distances are ``FAR`` and shares are 0.
    """

    spacing: float
    wm: np.ndarray
    gm: np.ndarray
    csf: np.ndarray
    brain: np.ndarray
    mni: np.ndarray
    brain_distance: np.ndarray
    ventricle_distance: np.ndarray
    deep_distance: np.ndarray
    pial_depth: np.ndarray
    cerebrum: np.ndarray


def rotation_matrix(degrees: tuple[float, float, float]) -> np.ndarray:
    """Rotation about x, then y, then z."""
    ax, ay, az = np.deg2rad(degrees)
    about_x = [[1, 0, 0], [0, np.cos(ax), -np.sin(ax)], [0, np.sin(ax), np.cos(ax)]]
    about_y = [[np.cos(ay), 0, np.sin(ay)], [0, 1, 0], [-np.sin(ay), 0, np.cos(ay)]]
    about_z = [[np.cos(az), -np.sin(az), 0], [np.sin(az), np.cos(az), 0], [0, 0, 1]]
    return np.array(about_z) @ np.array(about_y) @ np.array(about_x)


def carry(values: np.ndarray, at: np.ndarray, outside: float = 0.0) -> np.ndarray:
    """Take values of the average head's grid at voxel coordinates (3, ...)."""
    carried: np.ndarray = ndimage.map_coordinates(
        values, at, order=1, mode="constant", cval=outside
    )
    return carried


def smallest_jacobian(bend: np.ndarray, spacing: float) -> float:
    """Smallest determinant of the Jacobian of ``x + bend(x)``, on every other voxel.

    ``bend`` is (3, X, Y, Z) in mm, ``spacing`` the voxel size in mm.
    """
    step = 2
    coarse = bend[:, ::step, ::step, ::step]
    jacobian = np.stack(np.gradient(coarse, spacing * step, axis=(1, 2, 3)), axis=-1)
    jacobian = np.moveaxis(jacobian, 0, -2) + np.eye(3, dtype=np.float32)
    return float(np.linalg.det(jacobian).min())


def bent_positions(
    shape: tuple[int, int, int], affine: np.ndarray, variation: Variation, rng: np.random.Generator
) -> np.ndarray:
    """Where each voxel of a grid lies in the average head before its ventricles give way.

    Parameters
    ----------
    shape, affine
        The grid; voxels must be isotropic.
    variation
        Size, pose and bend of the head.
    rng
        Draws the displacement.

    Returns
    -------
    float32 (3, X, Y, Z), mm. The map from grid to head can be inverted everywhere.
    """
    spacing = float(np.linalg.norm(affine[:3, 0]))
    head = rotation_matrix(variation.rotation) @ np.diag(variation.scale)
    inverse = np.linalg.inv(head)
    matrix = (inverse @ affine[:3, :3]).astype(np.float32)
    offset = inverse @ (affine[:3, 3] - np.array(variation.shift))
    i, j, k = np.ogrid[: shape[0], : shape[1], : shape[2]]
    coarse = [variation.bend[0] * smooth_field(rng, shape, spacing, 45) for _ in range(3)]
    fine = [variation.bend[1] * smooth_field(rng, shape, spacing, 18) for _ in range(3)]
    bend = np.stack([c + f for c, f in zip(coarse, fine, strict=True)])
    while smallest_jacobian(bend, spacing) < 0.3:
        bend *= 0.85
    for axis in range(3):
        row = matrix[axis]
        bend[axis] += row[0] * i + row[1] * j + row[2] * k + np.float32(offset[axis])
    return bend


def give_way(distance: np.ndarray, amount: float) -> np.ndarray:
    """How far tissue moves for ventricles whose walls move by ``amount`` mm.

    Parameters
    ----------
    distance
        mm to the average ventricle, negative inside, at the place where tissue arrives.
    amount
        mm outwards; negative for narrow ventricles.

    Returns
    -------
    mm away from the ventricles. Distance minus this rises with distance: nothing folds over.
    """
    inside = np.clip((distance + VENTRICLE_CORE) / (max(amount, 0) + VENTRICLE_CORE), 0, 1)
    outside = np.clip((VENTRICLE_REACH - distance) / (VENTRICLE_REACH - max(amount, 0)), 0, 1)
    return amount * np.minimum(inside, outside)


def build_anatomy(
    shape: tuple[int, int, int],
    affine: np.ndarray,
    variation: Variation,
    folds: Folds,
    rng: np.random.Generator,
) -> Anatomy:
    """Carry the average head to a subject's grid and fold its cortex.

    Parameters
    ----------
    shape, affine
        The grid; voxels must be isotropic.
    variation, folds
        The subject's parameters.
    rng
        Draws the displacement fields and the course of the sulci.

    Returns
    -------
    Anatomy on the grid.
    """
    average = average_head()
    spacing = float(np.linalg.norm(affine[:3, 0]))
    mni = bent_positions(shape, affine, variation, rng)
    near = carry(average.brain_distance, to_voxels(mni), FAR) < MARGIN
    at = to_voxels(mni[:, near])
    move = give_way(carry(average.ventricle_distance, at, FAR), variation.ventricles)
    for axis in range(3):
        mni[axis][near] -= move * carry(average.ventricle_normal[axis], at)
    at = to_voxels(mni[:, near])

    brain_distance = carry(average.brain_distance, at, FAR)
    cerebrum = carry(average.cerebrum, at)
    # Powers undo the blur of averaging many brains; the weight opens or closes the fluid spaces.
    wm = carry(average.wm, at) ** 2.2
    gm = 1.1 * carry(average.gm, at) ** 2.2
    csf = variation.atrophy * carry(average.csf, at) ** 2.2
    total = wm + gm + csf
    brain = (brain_distance < 0) & (total > 1e-3)
    share = np.where(brain, 1 / np.maximum(total, 1e-3), 0).astype(np.float32)

    sulci = draw_sulci(average, folds, rng)
    depth, deep = carry(average.surface_depth, at), carry(average.deep_distance, at, FAR)
    width = folds.width + 0.8 * smooth_field(rng, shape, spacing, 30)[near]
    folded_csf, folded_gm, pial_depth = fold(
        depth, deep, carry(sulci.sheet, at), carry(sulci.floor, at), width, folds
    )
    mantle = brain * cerebrum * smooth_step(deep, 0.0, 3.0)
    csf = (1 - mantle) * csf * share + mantle * folded_csf
    gm = (1 - mantle) * gm * share + mantle * folded_gm

    def whole(values: np.ndarray, elsewhere: float = 0.0) -> np.ndarray:
        filled = np.full(shape, elsewhere, np.float32)
        filled[near] = values
        return filled

    return Anatomy(
        spacing=spacing,
        wm=whole(np.where(brain, 1 - gm - csf, 0)),
        gm=whole(gm),
        csf=whole(csf),
        brain=whole(brain) > 0,
        mni=mni,
        brain_distance=whole(brain_distance, FAR),
        ventricle_distance=whole(carry(average.ventricle_distance, at, FAR), FAR),
        deep_distance=whole(deep, FAR),
        pial_depth=whole(pial_depth, -FAR),
        cerebrum=whole(cerebrum),
    )
