"""A head with FLAIR contrast, modelled around the standard brain.

The ICBM maps that come with nilearn end at the brain. What lies outside is laid on: shells of
fluid, bone (no signal) and scalp (bright fat) of anatomical thickness, and the larger organs of
face, skull base and neck as ellipsoids at their places in MNI space.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from synthtumour_bids.preprocessing.distances import distance_to

# Signal of FLAIR relative to white matter.
_GREY, _WHITE, _FLUID, _BONE, _SCALP, _MUSCLE, _AIR = 1.15, 1.0, 0.25, 0.12, 1.25, 0.55, 0.0


@dataclass(frozen=True)
class _Organ:
    """An ellipsoid, given on the right side and drawn on both; mm in MNI space (RAS)."""

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    signal: float


# Clefts of the brain mask up to twice this wide, in mm, are fluid within the brain's hull.
_CISTERN = 8.0

# Drawn in this order, each over the ones before, none inside the brain or its fluid.
_FACE = _Organ((0, 18, -72), (68, 82, 75), _MUSCLE)
_NECK = _Organ((0, -38, -110), (62, 62, 90), _MUSCLE)
_ORGANS = (
    _Organ((62, 0, -78), (14, 42, 45), _SCALP),  # cheek and the fat beside the jaw
    _Organ((0, -92, -95), (45, 14, 45), _SCALP),  # fat of the nape
    _Organ((0, -35, -110), (9, 9, 40), _FLUID),  # spinal canal
    _Organ((0, -35, -110), (5.5, 4.5, 40), _WHITE),  # spinal cord
    _Organ((0, 4, -75), (14, 12, 30), _AIR),  # pharynx
    _Organ((9, 50, -48), (11, 32, 24), _AIR),  # nasal cavity and ethmoid cells
    _Organ((0, 18, -36), (13, 14, 11), _AIR),  # sphenoid sinus
    _Organ((30, 46, -64), (15, 17, 16), _AIR),  # maxillary sinus
    _Organ((8, 76, -2), (12, 5, 11), _AIR),  # frontal sinus
    _Organ((28, 44, -36), (14, 28, 14), _SCALP),  # fat of the orbit
    _Organ((26, 40, -36), (5, 24, 5), _MUSCLE),  # optic nerve and muscles
    _Organ((33, 58, -36), (13, 13, 13), _FLUID),  # globe
    _Organ((50, -22, -46), (22, 15, 11), _BONE),  # petrous bone
    _Organ((56, -34, -52), (12, 16, 18), _BONE),  # mastoid
    _Organ((0, -6, -48), (16, 18, 20), _BONE),  # clivus
)
_TEMPORALIS = _Organ((64, 8, -20), (15, 34, 36), _MUSCLE)


def _closed(mask: np.ndarray, radius: float, spacing: float) -> np.ndarray:
    """Morphological closing by a ball; the mask must keep ``radius`` from the array's edge."""
    grown = distance_to(mask, spacing) <= radius
    values: np.ndarray = distance_to(~grown, spacing) > radius
    return values


def build_head(
    gm: np.ndarray, wm: np.ndarray, brain: np.ndarray, affine: np.ndarray, spacing: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Build the head.

    Parameters
    ----------
    gm, wm
        Tissue probabilities, arrays (X, Y, Z) in RAS order.
    brain
        Brain with its fluid, bool.
    affine
        Voxel to RAS mm of these arrays.
    spacing
        Voxel size in mm.

    Returns
    -------
    head, brain, affine
        Head signal and brain probability as float32 arrays on a grid that is widened to hold
        the scalp, and its affine.
    """
    margin = int(np.ceil(20 / spacing))
    gm, wm, inside = (np.pad(a, margin) for a in (gm, wm, brain))
    # The ICBM brain leaves out the cisterns at the base; an intracranial mask has them.
    inside = _closed(inside, _CISTERN, spacing)
    affine = affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ np.full(3, margin)
    x, y, z = (
        affine[axis, 3] + spacing * np.arange(n).reshape([-1 if a == axis else 1 for a in range(3)])
        for axis, n in enumerate(gm.shape)
    )
    x = np.abs(x)

    def within(organ: _Organ, grow: float = 0.0) -> np.ndarray:
        (a, b, c), (ra, rb, rc) = organ.centre, organ.radii
        values: np.ndarray = ((x - a) / (ra + grow)) ** 2 + ((y - b) / (rb + grow)) ** 2 + (
            (z - c) / (rc + grow)
        ) ** 2 <= 1
        return values

    distance = distance_to(inside, spacing)
    # Bone is thin at the temples, thick at the forehead and the back of the head.
    bone = 1.5 + 6.5 - 3.0 * np.exp(-(((np.abs(z + 15)) / 25) ** 2)) * (x > 45)
    scalp = bone + 6.0
    face = within(_FACE) | within(_NECK)
    face_skin = (within(_FACE, 4) | within(_NECK, 4)) & (z < -20)

    head = np.zeros(inside.shape)
    head[face_skin] = _SCALP
    head[face & (z < -20)] = _MUSCLE
    head[distance <= scalp] = _SCALP
    head[within(_TEMPORALIS, 4) & (distance < scalp + 12)] = _SCALP
    head[within(_TEMPORALIS) & (distance < scalp + 8)] = _MUSCLE
    for organ in _ORGANS:
        head[within(organ) & (head > 0)] = organ.signal
    head[(distance <= bone) & (head != _AIR)] = _BONE
    head[distance <= 1.5] = _FLUID
    # The brain mask ends where the brainstem is cut; the cord goes on.
    stem = (x**2 + ((y + 38) / 1.2) ** 2 < 9**2) & (z < -60)
    head[stem & ~inside] = _FLUID
    head[(x**2 + ((y + 38) / 1.2) ** 2 < 6**2) & (z < -60) & ~inside] = _WHITE

    tissue = np.where(inside, _FLUID + gm * (_GREY - _FLUID) + wm * (_WHITE - _FLUID), 0.0)
    head = np.where(inside, tissue, head)
    head = ndimage.gaussian_filter(head, 1.0 / spacing)
    probability = ndimage.gaussian_filter(inside.astype(np.float32), 1.0 / spacing)
    return head.astype(np.float32), probability.astype(np.float32), affine
