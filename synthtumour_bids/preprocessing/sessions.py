"""Scans of one head at several sessions, rigidly brought to the place half-way between them.

As all are moved by the like and resampled once, none of them is favoured (Reuter et al.,
NeuroImage 2012).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ants
import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from synthtumour_bids.preprocessing import alignment, ants_images, geometry
from synthtumour_bids.preprocessing.points import scan_to_template
from synthtumour_bids.volumes import Volume

FINEST_MM = 1.0  # voxel size of the common grid; coarser where all scans are
MARGIN_MM = 5.0  # around the brains on it
AROUND_LESION_MM = 5.0  # what a lesion may have pushed away does not count either


@dataclass(frozen=True, eq=False)
class Visit:
    """A head at one session.

    Attributes
    ----------
    head, brain, lesion
        Corrected scan and masks on its grid.
    to_template
        Its world to the template's, (4, 4), RAS, mm; affine.
    """

    head: Volume
    brain: Volume
    lesion: Volume
    to_template: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Halfway:
    """The place between several sessions.

    Attributes
    ----------
    shape, affine
        Its grid, isotropic, RAS.
    transforms
        Of each visit, in their order: its world to the half-way one, (4, 4), rigid, RAS, mm.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    transforms: tuple[NDArray[np.float64], ...]

    def image(self, volume: Volume, number: int) -> NDArray[np.float32]:
        """Bring a scan of a visit there (cubic)."""
        moved = geometry.resample(
            volume.data,
            self.transforms[number] @ volume.affine,
            self.shape,
            self.affine,
            order=3,
            to_faces=True,
        )
        values: NDArray[np.float32] = np.clip(moved, 0, float(volume.data.max()))
        return values

    def mask(self, volume: Volume, number: int) -> NDArray[np.bool_]:
        """Bring a mask of a visit there (linear, from one half)."""
        moved = geometry.resample(
            volume.mask,
            self.transforms[number] @ volume.affine,
            self.shape,
            self.affine,
            to_faces=True,
        )
        inside: NDArray[np.bool_] = moved >= 0.5
        return inside

    def normal(self, visits: Sequence[Visit], numbers: Sequence[int]) -> NDArray[np.bool_]:
        """Brain of all of some visits, with a lesion in none of them."""
        inside = np.ones(self.shape, bool)
        for n in numbers:
            inside &= self.mask(visits[n].brain, n) & ~self.mask(visits[n].lesion, n)
        return inside


def find_halfway(visits: Sequence[Visit], *, work_dir: Path, seed: int) -> Halfway:
    """Align visits with the first one, and go half of the way.

    Parameters
    ----------
    visits
        Of one person.
    work_dir
        For temporary files, which are removed.
    seed
        Fixes the registrations' random sampling.
    """
    with alignment.scratch(work_dir) as folder:
        to_first = [np.eye(4)]
        to_first += [_align(visits[0], other, folder, seed) for other in visits[1:]]
    transforms = halfway_transforms(to_first, _centre(visits[0].brain))
    shape, affine = _common_grid([visit.brain for visit in visits], transforms)
    return Halfway(shape, affine, transforms)


def halfway_transforms(
    to_first: Sequence[NDArray[np.float64]], centre: NDArray[np.float64]
) -> tuple[NDArray[np.float64], ...]:
    """Share rigid transforms out, so that what they do to all visits cancels.

    Parameters
    ----------
    to_first
        World of each visit to the first one's, (4, 4), rigid.
    centre
        Point of the first world that the head turns about, (3,).

    Returns
    -------
    World of each visit to the half-way one.
    """
    back = Rotation.from_matrix([one[:3, :3] for one in to_first]).mean().inv().as_matrix()
    centres = [np.linalg.solve(one, [*centre, 1.0])[:3] for one in to_first]
    from_first = np.eye(4)
    from_first[:3, :3] = back
    from_first[:3, 3] = np.mean(centres, axis=0) - back @ centre
    return tuple(from_first @ one for one in to_first)


def _align(fixed: Visit, moving: Visit, folder: Path, seed: int) -> NDArray[np.float64]:
    """Rigid matrix from one visit's world to another's.

    The search starts from what the headers say, and from where the template puts both.
    """
    settings = alignment.load_settings("rigid_contrast")
    spacing = float(settings["spacing"])
    still, moved = (_coarse_brain(one, spacing) for one in (fixed, moving))
    counts = _counts(fixed, spacing)
    by_template = _nearest_rigid(
        np.linalg.inv(fixed.to_template) @ moving.to_template, _centre(moving.brain)
    )
    found = []
    for number, start in enumerate((np.eye(4), by_template)):
        path = folder / f"start-{number}.mat"
        _write_rigid(path, start)
        forward, _ = alignment.run_stages(
            still,
            moved,
            [settings["rigid"]],
            folder=folder,
            seed=seed,
            initial=[str(path)],
            mask=counts,
        )
        there = ants.apply_transforms(still, moved, forward)
        found.append((alignment.similarity_score(still, there, counts), forward))
    best = max(found, key=lambda one: one[0])[1]
    return scan_to_template(Path(best[0]))


def _coarse_brain(visit: Visit, spacing: float) -> ants.ANTsImage:
    shape, affine = geometry.isotropic_grid(visit.brain.data.shape, visit.brain.affine, spacing)
    brain = np.where(visit.brain.mask, visit.head.data, 0)
    return ants_images.to_ants(geometry.resample(brain, visit.head.affine, shape, affine), affine)


def _counts(visit: Visit, spacing: float) -> ants.ANTsImage:
    """Where the metric counts: the brain without the lesion and what is next to it."""
    near = geometry.near(visit.lesion.mask, visit.lesion.spacing, AROUND_LESION_MM)
    shape, affine = geometry.isotropic_grid(visit.brain.data.shape, visit.brain.affine, spacing)
    counts = geometry.resample(visit.brain.mask & ~near, visit.brain.affine, shape, affine) >= 0.5
    return ants_images.to_ants(counts, affine)


def _nearest_rigid(matrix: NDArray[np.float64], centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rigid transform nearest to an affine one that takes the centre where that takes it."""
    left, _, right = np.linalg.svd(matrix[:3, :3])
    rigid = np.eye(4)
    rigid[:3, :3] = left @ right
    rigid[:3, 3] = (matrix @ [*centre, 1.0])[:3] - rigid[:3, :3] @ centre
    return rigid


def _write_rigid(path: Path, to_fixed: NDArray[np.float64]) -> None:
    """Write a transform for ANTs, which asks for each fixed point where it is in the moving."""
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    matrix = flip @ np.linalg.inv(to_fixed) @ flip
    transform = ants.create_ants_transform(
        "AffineTransform", dimension=3, matrix=matrix[:3, :3], translation=matrix[:3, 3]
    )
    ants.write_transform(transform, str(path))


def _centre(mask: Volume) -> NDArray[np.float64]:
    """Centre of mass of a mask in its world, mm."""
    middle: NDArray[np.float64] = nib.affines.apply_affine(
        mask.affine, ndimage.center_of_mass(mask.mask)
    )
    return middle


def _common_grid(
    brains: Sequence[Volume], transforms: Sequence[NDArray[np.float64]]
) -> tuple[tuple[int, int, int], NDArray[np.float64]]:
    """Isotropic grid around all brains, as fine as the finest side of any voxel, or 1 mm."""
    spacing = max(FINEST_MM, min(min(brain.spacing) for brain in brains))
    reaches = []
    for brain, transform in zip(brains, transforms, strict=True):
        box = geometry.bounding_box(brain.mask)
        corners = np.stack(
            np.meshgrid(*[(side.start, side.stop - 1) for side in box]), axis=-1
        ).reshape(-1, 3)
        reaches.append(nib.affines.apply_affine(transform @ brain.affine, corners))
    points = np.concatenate(reaches)
    low, high = points.min(axis=0) - MARGIN_MM, points.max(axis=0) + MARGIN_MM
    x, y, z = (int(n) for n in np.ceil((high - low) / spacing) + 1)
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = low
    return (x, y, z), affine
