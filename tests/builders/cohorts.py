"""The demo cohort with a second contrast, and some tumour scans as an annotated dataset."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.processing import resample_from_to
from scipy import ndimage

from synthtumour_bids.demo.phantom import write_cohort

TABLE = "index\tname\n0\tbackground\n1\toedema\n3\tcore\n"
NAMES = ("oedema", "core")


@dataclass(frozen=True)
class AnnotatedCohort:
    bids: Path
    annotated: Path
    truth: Path


def classes_of(mask: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """3 in the inner half of a tumour, 1 around."""
    inside = mask > 0
    depth = ndimage.distance_transform_edt(inside, sampling=spacing)
    core = depth > 0.5 * depth.max()
    return np.where(core, 3, inside).astype(np.uint8)


def add_t1w(flair: Path) -> None:
    """Write a T1w image of the same head, which moved a little, on a grid of its own."""
    image = nib.load(flair)
    values = image.get_fdata(dtype=np.float32)
    bright = np.percentile(values[values > 0], 99)
    inverted = np.where(values > 0.1 * bright, np.clip(1.3 * bright - values, 0, None), 0)
    moved = np.diag([1.0, 1.0, 1.0, 1.0])
    moved[:3, :3] = [[np.cos(0.05), -np.sin(0.05), 0], [np.sin(0.05), np.cos(0.05), 0], [0, 0, 1]]
    moved[:3, 3] = (3.0, -2.0, 1.0)
    head = nib.Nifti1Image(inverted, moved @ image.affine)
    grid = image.affine.copy()
    grid[:3, 3] -= 6.0
    own = resample_from_to(head, (tuple(n + 3 for n in image.shape), grid), order=1)
    nib.save(own, flair.with_name(flair.name.replace("_FLAIR", "_T1w")))


def write_annotated_cohort(
    root: Path, *, n_tumourfree: int, n_annotated: int, n_tumour: int, seed: int = 3
) -> AnnotatedCohort:
    """Simulate heads at 4 mm, FLAIR and T1w; the first tumours move to a dataset of their own."""
    cohort = write_cohort(
        root,
        n_tumourfree=n_tumourfree,
        n_tumour=n_annotated + n_tumour,
        resolution=4.0,
        seed=seed,
    )
    for flair in sorted(cohort.bids_dir.glob("sub-*/anat/*_FLAIR.nii.gz")):
        add_t1w(flair)
    annotated = root / "annotated"
    drawn = annotated / "derivatives" / "manual"
    drawn.mkdir(parents=True)
    shutil.copy(cohort.bids_dir / "dataset_description.json", annotated)
    shutil.copy(cohort.truth_dir / "dataset_description.json", drawn)
    (drawn / "desc-tumour_dseg.tsv").write_text(TABLE)
    subjects = sorted(path.name for path in cohort.bids_dir.glob("sub-tumour*"))[:n_annotated]
    for subject in subjects:
        shutil.move(cohort.bids_dir / subject, annotated / subject)
        mask = nib.load(cohort.truth_dir / subject / "anat" / f"{subject}_label-L_mask.nii.gz")
        zooms = tuple(float(size) for size in mask.header.get_zooms())
        values = classes_of(np.asanyarray(mask.dataobj), zooms)
        target = drawn / subject / "anat" / f"{subject}_desc-tumour_dseg.nii.gz"
        target.parent.mkdir(parents=True)
        nib.save(nib.Nifti1Image(values, mask.affine), target)
        shutil.rmtree(cohort.truth_dir / subject)
    table = cohort.bids_dir / "participants.tsv"
    with table.open(newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))
    kept = [row for row in rows if row[0] not in subjects]
    table.write_text("".join("\t".join(row) + "\n" for row in kept))
    return AnnotatedCohort(cohort.bids_dir, annotated, cohort.truth_dir)
