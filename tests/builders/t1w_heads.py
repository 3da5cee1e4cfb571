"""One textured head in two contrasts: segmented in FLAIR, and as a T1w image in another pose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from synthtumour_bids.bids.inputs import Selection
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.t1w import choose_t1w
from synthtumour_bids.files import write_json
from synthtumour_bids.job import Job
from synthtumour_bids.preprocessing import geometry
from synthtumour_bids.settings import Role, Step
from tests.builders.jobs import make_job, make_scan

SPACING = 4.0
SHAPE = (44, 52, 44)
T1W_SHAPE = (60, 50, 40)
LESION_AT, LESION_MM = (-24.0, 12.0, 10.0), 17.0
AFFINE = np.diag([SPACING, SPACING, SPACING, 1.0])
AFFINE[:3, 3] = -SPACING * (np.array(SHAPE) - 1) / 2


def pose() -> np.ndarray:
    """How the head has moved until the T1w image, world to world, mm."""
    angle = 0.12
    moved = np.eye(4)
    moved[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    moved[:3, 3] = (5, -4, 3)
    return moved


def t1w_affine() -> np.ndarray:
    """A grid of its own: the first axis runs to the left, voxels are 3 x 4 x 4.5 mm."""
    affine = np.diag([-3.0, 4.0, 4.5, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(T1W_SHAPE) - 1) / 2)
    return affine


@dataclass(frozen=True)
class TwoContrasts:
    """Images of one head; `there` is the true mask on the T1w image's grid."""

    flair: nib.Nifti1Image
    brain: np.ndarray
    lesion: np.ndarray
    t1w: nib.Nifti1Image
    there: np.ndarray


def two_contrasts(seed: int = 0) -> TwoContrasts:
    """Draw a head with a tumour that is bright in FLAIR and dark in T1w."""
    rng = np.random.default_rng(seed)
    world = np.einsum("ij,jxyz->ixyz", AFFINE[:3, :3], np.indices(SHAPE).astype(float))
    world += AFFINE[:3, 3][:, None, None, None]
    brain = sum((world[axis] / size) ** 2 for axis, size in enumerate((62, 78, 60))) < 1
    texture = ndimage.gaussian_filter(rng.standard_normal(SHAPE), 2.0)
    texture /= texture[brain].std()
    lesion = np.linalg.norm(world - np.array(LESION_AT)[:, None, None, None], axis=0) < LESION_MM
    flair = brain * (100 + 20 * texture + 80 * lesion)
    inverted = brain * (300 - 70 * texture - 150 * lesion)
    grid = pose() @ AFFINE, T1W_SHAPE, t1w_affine()
    t1w = geometry.resample(inverted, *grid, order=1)
    there = geometry.resample(lesion.astype(np.float32), *grid) >= 0.5
    noise = [4 * rng.standard_normal(shape) for shape in (SHAPE, T1W_SHAPE)]
    return TwoContrasts(
        _scanner(flair + noise[0], AFFINE),
        brain,
        lesion,
        _scanner(t1w + 3 * noise[1], t1w_affine()),
        there,
    )


def _scanner(values: np.ndarray, affine: np.ndarray) -> nib.Nifti1Image:
    image = nib.Nifti1Image(values.astype(np.float32), affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    return image


def segmented_with_t1w(root: Path, head: TwoContrasts, *, sessions: tuple[str, ...] = ()) -> Job:
    """A job over scans of one head, segmented, of which the first session has a T1w image."""
    bids = root / "bids"
    scans = tuple(make_scan(bids, "01", session=session) for session in sessions or (None,))
    job = make_job(root, scans=scans)
    layout = job.layout
    for scan in scans:
        images = {
            layout.native_image(scan): head.flair,
            layout.native_brain(scan): nib.Nifti1Image(head.brain.astype(np.uint8), AFFINE),
            layout.native(scan, label="L", suffix="mask"): nib.Nifti1Image(
                head.lesion.astype(np.uint8), AFFINE
            ),
            layout.native(scan, label="L", suffix="probseg"): nib.Nifti1Image(
                ndimage.gaussian_filter(head.lesion.astype(np.float32), 0.5), AFFINE
            ),
        }
        for path, image in images.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            nib.save(image, path)
            write_json(path.with_name(path.name.replace(".nii.gz", ".json")), {"Type": "Lesion"})
        job.ledger.mark(Step.SEGMENT, scan.key, "segmented", list(images), scan=scan)
    first = scans[0]
    image = t1w_scan(first)
    image.path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(head.t1w, image.path)
    return with_t1w(job, image)


def t1w_scan(scan: Scan, *more: tuple[str, str]) -> Scan:
    """A T1w image of the scan's session; no file is made."""
    entities = (*scan.entities, *more)
    name = "_".join(f"{key}-{value}" for key, value in entities)
    path = scan.path.with_name(f"{name}_T1w.nii.gz")
    return Scan(path, entities, "T1w", Role.TUMOUR, scan.dataset, scan.dataset_name)


def with_t1w(job: Job, *images: Scan) -> Job:
    """The same job with these T1w images."""
    scans = job.selection.selected
    return replace(job, selection=Selection(scans, scans, t1w=choose_t1w(scans, images)))
