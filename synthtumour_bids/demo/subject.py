"""One subject's anatomy: the average head, bent, turned and scaled by a random transform."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from synthtumour_bids.demo.anatomy import AverageHead, average_head, to_voxels
from synthtumour_bids.demo.fields import smooth_field, smooth_step


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
        Weight of CSF against tissue at the cortex, 1 on average.
    skull, scalp
        Thickness in mm.
    """

    scale: tuple[float, float, float]
    rotation: tuple[float, float, float]
    shift: tuple[float, float, float]
    bend: tuple[float, float]
    ventricles: float
    atrophy: float
    skull: float
    scalp: float


@dataclass(frozen=True)
class Anatomy:
    """A subject's maps on one grid, float32 (X, Y, Z).

    ``wm``, ``gm`` and ``csf`` sum to one in the brain; ``brain`` is its mask; ``mni`` holds the
    position of each voxel in the average head, mm, (3, X, Y, Z). Distances are in mm.
    """

    spacing: float
    wm: np.ndarray
    gm: np.ndarray
    csf: np.ndarray
    brain: np.ndarray
    mni: np.ndarray
    brain_distance: np.ndarray
    head_distance: np.ndarray
    ventricle_distance: np.ndarray
    eyes: np.ndarray
    orbits: np.ndarray
    airways: np.ndarray


def sample_variation(rng: np.random.Generator) -> Variation:
    """Draw a subject: sizes differ by some per cent, ventricles by up to 4 mm."""
    size = rng.normal(0.92, 0.025)  # the average head is larger than the average person's
    scale = size * rng.normal(1, 0.02, 3)
    rotation = rng.normal(0, (5, 3, 4))
    shift = rng.normal(0, (3, 4, 4))
    return Variation(
        scale=(float(scale[0]), float(scale[1]), float(scale[2])),
        rotation=(float(rotation[0]), float(rotation[1]), float(rotation[2])),
        shift=(float(shift[0]), float(shift[1]), float(shift[2])),
        bend=(float(rng.uniform(2.0, 3.5)), float(rng.uniform(1.0, 1.7))),
        ventricles=float(rng.uniform(-1.0, 4.0)),
        atrophy=float(rng.uniform(0.7, 1.8)),
        skull=float(rng.uniform(5.0, 8.0)),
        scalp=float(rng.uniform(-2.0, 4.0)),
    )


def rotation_matrix(degrees: tuple[float, float, float]) -> np.ndarray:
    """Rotation about x, then y, then z."""
    ax, ay, az = np.deg2rad(degrees)
    about_x = [[1, 0, 0], [0, np.cos(ax), -np.sin(ax)], [0, np.sin(ax), np.cos(ax)]]
    about_y = [[np.cos(ay), 0, np.sin(ay)], [0, 1, 0], [-np.sin(ay), 0, np.cos(ay)]]
    about_z = [[np.cos(az), -np.sin(az), 0], [np.sin(az), np.cos(az), 0], [0, 0, 1]]
    return np.array(about_z) @ np.array(about_y) @ np.array(about_x)


def _positions(
    shape: tuple[int, int, int], affine: np.ndarray, variation: Variation, rng: np.random.Generator
) -> np.ndarray:
    """Where each voxel of a grid lies in the average head, mm, (3, X, Y, Z)."""
    spacing = float(np.linalg.norm(affine[:3, 0]))
    head = rotation_matrix(variation.rotation) @ np.diag(variation.scale)
    inverse = np.linalg.inv(head)
    matrix = inverse @ affine[:3, :3]
    offset = inverse @ (affine[:3, 3] - np.array(variation.shift))
    ijk = np.stack(np.meshgrid(*[np.arange(n, dtype=np.float32) for n in shape], indexing="ij"))
    mni = np.einsum("ab,bijk->aijk", matrix.astype(np.float32), ijk)
    mni += offset.reshape(3, 1, 1, 1).astype(np.float32)
    for axis in range(3):
        mni[axis] += variation.bend[0] * smooth_field(rng, shape, spacing, 45)
        mni[axis] += variation.bend[1] * smooth_field(rng, shape, spacing, 18)
    values: np.ndarray = mni
    return values


def build_anatomy(
    shape: tuple[int, int, int], affine: np.ndarray, variation: Variation, rng: np.random.Generator
) -> Anatomy:
    """Carry the average head to a subject's grid.

    Parameters
    ----------
    shape, affine
        The grid; voxels must be isotropic.
    variation
        The subject's parameters.
    rng
        Draws the displacement fields.

    Returns
    -------
    Anatomy on the grid.
    """
    average: AverageHead = average_head()
    mni = _positions(shape, affine, variation, rng)

    def carry(values: np.ndarray, at: np.ndarray, outside: float = 0.0) -> np.ndarray:
        result: np.ndarray = ndimage.map_coordinates(
            values, at, order=1, mode="constant", cval=outside
        )
        return result

    at = to_voxels(mni)
    normal = np.stack([carry(component, at) for component in average.ventricle_normal])
    at = to_voxels(mni - variation.ventricles * normal)

    # Powers undo the blur of averaging many brains; the weight opens or closes the sulci.
    brain_distance = carry(average.brain_distance, at, 100.0)
    wm = carry(average.wm, at) ** 2.2
    gm = 1.1 * carry(average.gm, at) ** 2.2
    csf = variation.atrophy * carry(average.csf, at) ** 2.2
    total = wm + gm + csf
    brain = (brain_distance < 0) & (total > 1e-3)
    share = np.where(brain, 1 / np.maximum(total, 1e-3), 0).astype(np.float32)
    return Anatomy(
        spacing=float(np.linalg.norm(affine[:3, 0])),
        wm=wm * share,
        gm=gm * share,
        csf=csf * share,
        brain=brain,
        mni=mni,
        brain_distance=brain_distance,
        head_distance=carry(average.head_distance, at, 100.0)
        - variation.scalp * smooth_step(brain_distance, 3, 9),
        ventricle_distance=carry(average.ventricle_distance, at, 100.0),
        eyes=carry(average.eyes, at),
        orbits=carry(average.orbits, at),
        airways=carry(average.airways, at),
    )
