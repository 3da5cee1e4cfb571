"""A head with a tumour that was segmented, as it lies in an output folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import ants
import nibabel as nib
import numpy as np

from synthtumour_bids.bids.names import derivative_path
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.files import write_json
from synthtumour_bids.job import Job
from synthtumour_bids.steps.scan_report import ReportTask
from tests.builders.jobs import make_job, make_scan

SPACING = (1.0, 2.0, 3.0)  # mm, towards the right, the front and the top

Head = dict[str, np.ndarray]


def make_head() -> Head:
    """A brain with a tumour on the left, at the front, above the middle; arrays in RAS order."""
    i, j, k = np.meshgrid(*[np.arange(n) for n in (40, 30, 20)], indexing="ij")
    brain = ((i - 20) / 17) ** 2 + ((j - 15) / 12) ** 2 + ((k - 10) / 8) ** 2 < 1
    tumour = ((i - 12) / 4) ** 2 + ((j - 19) / 3) ** 2 + ((k - 12) / 2) ** 2 < 1
    return {
        "image": (60.0 + 40 * brain + 80 * tumour).astype(np.float32),
        "brain": brain.astype(np.uint8),
        "mask": tumour.astype(np.uint8),
        "probability": (0.9 * tumour).astype(np.float32),
        "uncertainty": (0.4 * tumour).astype(np.float32),
        "junior": np.roll(tumour, 1, axis=0).astype(np.uint8),
        "truth": np.roll(tumour, 2, axis=1).astype(np.uint8),
    }


def stored(data: np.ndarray, order: str = "RAS") -> nib.Nifti1Image:
    """Image of an array in RAS order with its axes in another one, the same in the world."""
    image = nib.Nifti1Image(data, np.diag([*SPACING, 1.0]))
    return image.as_reoriented(
        nib.orientations.ornt_transform(
            nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(order)
        )
    )


def segmented(
    root: Path, head: Head, order: str = "RAS", session: str | None = None
) -> tuple[Job, Scan]:
    """A job over one scan, whose segmentation is finished."""
    scan = make_scan(root / "bids", "tumour0", session=session)
    job = make_job(root, scans=(scan,))
    names = {
        "image": {"desc": "preproc", "suffix": "FLAIR"},
        "brain": {"desc": "brain", "suffix": "mask"},
        "mask": {"label": "L", "suffix": "mask"},
        "probability": {"label": "L", "suffix": "probseg"},
        "uncertainty": {"desc": "uncertainty", "suffix": "probseg"},
        "junior": {"label": "L", "desc": "junior", "suffix": "mask"},
    }
    out = job.settings.output_dir
    paths = {kind: derivative_path(scan, out, **entities) for kind, entities in names.items()}
    for kind, path in {**paths, "truth": root / "truth.nii.gz"}.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(stored(head[kind], order), path)
    on_template = nib.Nifti1Image(head["mask"], np.diag([4.0, 4.0, 4.0, 1.0]))
    nib.save(on_template, job.layout.standard(scan, label="L", suffix="mask"))
    identity = ants.create_ants_transform(transform_type="AffineTransform", dimension=3)
    ants.write_transform(identity, str(job.layout.transform(scan)))
    result = {
        "participant_id": f"sub-{scan.subject}",
        "session_id": session or "n/a",
        "scan": scan.name,
        "role": "tumour",
        "volume_mL": 1.2,
        "brain_volume_mL": 1400.0,
        "n_components": 1,
        "junior_volume_mL": 1.3,
        "junior_senior_dice": 0.4,
        "mean_probability": 0.9,
        "mean_entropy": 0.4,
        "qc_flags": ["low_agreement"],
    }
    write_json(job.layout.result(scan), result)
    return job, scan


def task_of(job: Job, scan: Scan, **changes: object) -> ReportTask:
    """The task of reporting on it, with its truth."""
    task = ReportTask(scan, job.settings.output_dir.parent / "truth.nii.gz", job.layout, False)
    return replace(task, **changes)  # type: ignore[arg-type]
