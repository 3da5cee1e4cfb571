"""Hosts made of the healthy halves of tumour scans, on the template's own grid."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from synthtumour_bids.steps.job import Job
from synthtumour_bids.steps.predictions import model_print

from synthtumour_bids.bids.inputs import Selection
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.files import fingerprint
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.settings import Role, Settings
from synthtumour_bids.steps import halves

SIDES = {"left": slice(8, 16), "right": slice(-16, -8), "both": slice(8, -8)}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Preprocessed scans, and what a junior said of them: a tumour on the left, right, or both."""
    root = tmp_path / "bids"
    scans = tuple(
        Scan(root / f"sub-{side}_FLAIR.nii.gz", (("sub", side),), "FLAIR", Role.TUMOUR, root)
        for side in SIDES
    )
    settings = Settings(
        root, tmp_path / "out", work_dir=tmp_path / "work", profile=PROFILES["sloppy"]
    )
    job = Job(settings, Selection(scans, scans), tmp_path / "log")
    junior = job.models_dir / "junior"
    predictions = settings.work_dir / "predictions" / "junior"
    for folder in (junior / "fold_0", predictions):
        folder.mkdir(parents=True)
    (junior / "model.json").write_text("{}")
    (junior / "fold_0" / "checkpoint_best.pth").write_bytes(b"weights")
    brain = standard_brain(settings.profile.resolution)
    image = brain.get_fdata(dtype=np.float32)
    for scan, where in zip(scans, SIDES.values(), strict=True):
        tumour = np.zeros(image.shape, np.float32)
        tumour[where, 20:28, 18:26] = image[where, 20:28, 18:26] > 0
        assert tumour.any()
        probseg = predictions / f"{scan.key.replace('/', '__')}_probseg.nii.gz"
        for path, data in (
            (job.standard_image(scan), np.where(tumour, 3 * image.max(), image)),
            (job.standard_mask(scan), (image > 0).astype(np.uint8)),
            (probseg, tumour),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(data, brain.affine), path)
        job.stamps.mark("preprocess", scan.key, "p", resolution=settings.profile.resolution)
        print_ = fingerprint(weights=model_print(junior), scan="p")
        job.stamps.mark("predict-junior", scan.key, print_, [probseg])
    return job


def test_the_half_without_tumour_becomes_a_host(job: Job) -> None:
    hosts = halves.healthy_halves(job, job.selection.everything)
    assert [(host.scan.subject, host.part.split()[0]) for host in hosts] == [
        ("left", "high"),
        ("right", "low"),
    ]
    for host in hosts:
        image = nib.load(host.image).get_fdata()
        scan = nib.load(job.standard_image(host.scan))
        assert image.max() < 0.5 * scan.get_fdata().max()
        np.testing.assert_allclose(nib.load(host.image).affine, scan.affine)


def test_synthetic_tumours_are_drawn_into_hosts(job: Job) -> None:
    hosts = halves.healthy_halves(job, job.selection.everything)
    cases = halves.cases(job, hosts, 5)
    assert len({case.name for case in cases}) == 5
    assert not any(case.validation for case in cases)
    for case in cases:
        sidecar = json.loads(case.image.with_suffix(".json").read_text())
        assert sidecar["HostPart"] in {host.part for host in hosts}
        assert nib.load(case.image).shape == nib.load(case.label).shape
    assert sum(nib.load(case.label).get_fdata().any() for case in cases) >= 3
    before = [case.image.read_bytes() for case in cases]
    again = halves.cases(job, halves.healthy_halves(job, job.selection.everything), 5)
    assert [case.image.read_bytes() for case in again] == before
    assert halves.cases(job, [], 5) == []
