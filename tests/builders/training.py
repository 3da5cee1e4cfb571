"""What a training leaves with its networks, without any training."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.methods.candidates import Assessed
from synthtumour_bids.methods.pseudo_labels import record_pseudo_labels
from synthtumour_bids.methods.sample_sheets import SheetSample, draw_sheet
from synthtumour_bids.segmentation.calibration import Calibration
from synthtumour_bids.segmentation.curve import SelectionCurve, write_curve
from synthtumour_bids.segmentation.expected_dice import DiceLine
from synthtumour_bids.segmentation.reliability import Reliability
from synthtumour_bids.settings import Role
from synthtumour_bids.synthesis.pseudo_labels import PseudoLabel
from tests.builders.jobs import write_network
from tests.builders.reports import make_head, stored

NASTY = "<img src=x onerror=alert(1)> & <b>bold</b>"
KINDS = {"Training": {"synthetic tumours": 12}, "Validation": {"shifted synthetic tumours": 3}}
CALIBRATION = Calibration(
    1.5,
    12,
    Reliability((0.01, 0.45, 0.98), (0.02, 0.4, 0.8), (90, 5, 5)),
    Reliability((0.02, 0.46, 0.9), (0.02, 0.4, 0.8), (90, 5, 5)),
    "mixes",
    DiceLine(0.1, 0.8, 0.12, 12),
)
REASON = "mean probability inside the label is 0.5, below 0.75"


def write_sample(folder: Path, name: str) -> tuple[Path, Path]:
    """Image, centred on zero, and label of a sample; with its sidecar."""
    head = make_head()
    centred = np.where(head["brain"], head["image"] - 120, 0).astype(np.float32)
    paths = folder / f"{name}_image.nii", folder / f"{name}_label.nii"
    parameters = {"flip": True, "lesions": [{"volume_ml": 1.25, "centre_mm": [1.0, 2.0]}]}
    sidecar = {"Host": f"bids:raw:{NASTY}", "HostPart": "whole brain", "Parameters": parameters}
    write_image(paths[0], stored(centred), sidecar)
    write_image(paths[1], stored(head["mask"]), {})
    return paths


def write_training(job: Job) -> None:
    """Two networks, the second not finished; a sheet of samples; three pseudo-labels."""
    layout, folder = job.layout, job.settings.output_dir.parent / "samples"
    curve = SelectionCurve().extended(0.5, 0.4, 0.3).extended(0.1, 0.8, 0.2).extended(0, 0.7, 0.2)
    write_network(
        layout.network(Network.JUNIOR),
        Network.JUNIOR,
        training={"epochs": 5},
        validation_cases=("a", "b", "c"),
        details={"Cases": KINDS},
        calibration=CALIBRATION,
    )
    for network in Network:
        layout.network(network).mkdir(parents=True, exist_ok=True)
        write_curve(curve, layout.network(network))
    samples = [
        SheetSample.from_sidecar(name, group, *write_sample(folder, name))
        for name, group in (("one", "for training"), ("two", "shifted"))
    ]
    draw_sheet(samples, layout, "stage_one", "Stage 1")
    draw_pseudo_labels(job)


def draw_pseudo_labels(job: Job) -> None:
    """One that passed, one that is empty, and one that did not pass, but was learned from."""
    head, assessed = make_head(), []
    verdicts = ((), ("nothing was labelled",), (REASON,))
    for scan, reasons in zip(job.selected(Role.TUMOUR), verdicts, strict=True):
        path = job.layout.standard_image(scan)
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(stored(head["image"] * head["brain"]), path)
        mask = head["mask"] * (reasons != verdicts[1])
        label = job.settings.work_dir / f"{scan.name}_label.nii"
        write_image(label, stored(mask), {})
        stats = {"volume_mL": float(mask.sum()), "confidence": 0.5, "components": 1.0}
        assessed.append(Assessed(scan, label, PseudoLabel(mask > 0, not reasons, reasons, stats)))
    record_pseudo_labels(job, assessed, {assessed[0].scan.key, assessed[2].scan.key})
