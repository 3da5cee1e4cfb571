"""Pseudo-labels for fabrication by a network of another run (--teacher)."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.__main__ import main as command
from synthtumour_bids.bids.classes import TumourClass
from synthtumour_bids.errors import EXIT_UNAVAILABLE, EXIT_USAGE, UsageError
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.methods.fabrication.method import TEACHER
from synthtumour_bids.methods.pseudo_labels import as_cases, judge, record_pseudo_labels
from synthtumour_bids.methods.registry import border_evidence
from synthtumour_bids.segmentation.metrics import evaluate
from synthtumour_bids.segmentation.model_card import CHECKPOINT, Model
from synthtumour_bids.settings import Method, Role
from synthtumour_bids.steps.given_networks import with_networks
from tests.builders.blob_cases import blob_brain
from tests.builders.datasets import make
from tests.builders.jobs import make_job, mark_preprocessed, method_of, with_settings, write_network
from tests.builders.networks import SHAPE, VOXEL


def write_teacher(models: Path, network: Path | None = None, **changes: Any) -> Path:
    """Models folder of another run, with a real network or with a description alone."""
    if network is not None:
        shutil.copytree(network, models / "senior")
    write_network(models / "senior", Network.SENIOR, **changes)
    return models


def asked(tmp_path: Path, teacher: Path, **more: Any) -> Job:
    more = {"method": Method.FABRICATION, "semi_supervised": True, "teacher": teacher, **more}
    return make_job(tmp_path, **more)


def senior_of(models: Path) -> Model:
    return Model(TEACHER, models / "senior")


def write_blobs(job: Job) -> dict[str, np.ndarray]:
    """Preprocessed tumour scans of a job, with blobs; where these are, by scan."""
    tumours = [scan for scan in job.selection.everything if scan.role is Role.TUMOUR]
    mark_preprocessed(job, *tumours)
    truth = {}
    for seed, scan in enumerate(tumours, 77):
        data, truth[scan.key] = blob_brain(seed, SHAPE)
        affine = np.diag([VOXEL, VOXEL, VOXEL, 1.0])
        for path, values in (
            (job.layout.standard_image(scan), data),
            (job.layout.standard_brain(scan), (data != 0).astype(np.uint8)),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(values, affine), path)
    return truth


def test_the_teacher_labels_the_scans(model: Path, tmp_path: Path) -> None:
    """No junior is there; what the scans' further contrasts show is not given to the teacher."""
    teacher = write_teacher(tmp_path / "earlier", model)
    job = asked(tmp_path, teacher)
    truth = write_blobs(job)
    tumours = [scan for scan in job.selection.everything if scan.role is Role.TUMOUR]
    others = [replace(scan, contrasts=(scan,)) for scan in tumours]
    evidence = border_evidence(senior_of(teacher).card)
    # A network this small is not sure enough to pass the quality control.
    assessed, found = judge(job, senior_of(teacher), evidence, others)
    record_pseudo_labels(job, assessed, {one.scan.key for one in found})
    cases = {case.name: case for case in as_cases(job, found, prefix="pseudo")}
    for scan in tumours:
        case = cases[f"pseudo-{scan.dataset_name}-{scan.name}"]
        label = np.asanyarray(nib.load(case.label).dataobj)
        assert case.persons == {scan.person}
        assert evaluate(label > 0, truth[scan.key] > 0, (VOXEL,) * 3).dice > 0.7
    with (job.layout.models / "pseudo_labels.tsv").open() as table:
        used = [row["used"] for row in csv.DictReader(table, delimiter="\t")]
    assert used == ["true", "true"]


def test_the_scans_refine_labels_of_a_network_without_annotations(
    model: Path, tmp_path: Path
) -> None:
    labels = {}
    for method in Method:
        teacher = write_teacher(tmp_path / method / "models", model, method=method.value)
        job = asked(tmp_path / method, teacher)
        truth = write_blobs(job)
        tumours = [scan for scan in job.selection.everything if scan.role is Role.TUMOUR]
        evidence = border_evidence(senior_of(teacher).card)
        labels[method] = {
            item.scan.key: np.asanyarray(nib.load(item.label).dataobj) > 0
            for item in judge(job, senior_of(teacher), evidence, tumours)[1]
        }
    for key, manual in truth.items():
        refined, said = (labels[method][key] for method in Method)
        spacing = (VOXEL,) * 3
        assert not np.array_equal(refined, said)
        better, worse = (evaluate(one, manual > 0, spacing).dice for one in (refined, said))
        assert better > worse


def test_another_teacher_is_another_senior(tmp_path: Path) -> None:
    teacher = write_teacher(tmp_path / "earlier")
    job = asked(tmp_path, teacher)
    method = method_of(job)
    junior, senior = (method.fingerprint(job, network) for network in Network)
    own = with_settings(job, teacher=None)
    assert senior != method.fingerprint(own, Network.SENIOR)
    (teacher / "senior" / CHECKPOINT).write_text("other weights")
    write_teacher(teacher)
    assert method.fingerprint(job, Network.SENIOR) != senior
    assert method.fingerprint(job, Network.JUNIOR) == junior
    assert method.fingerprint(own, Network.JUNIOR) == junior


def test_the_folder_may_be_the_output_of_the_earlier_run_or_its_senior(tmp_path: Path) -> None:
    models = write_teacher(tmp_path / "earlier" / "models")
    job = asked(tmp_path, models.parent)
    assert with_networks(job.settings).teacher == models
    assert with_networks(replace(job.settings, teacher=models / "senior")).teacher == models


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"contrast": "T2w"}, "trained on T2w images; --contrast is FLAIR"),
        ({"lesion": "metastasis"}, "trained for metastasis; --lesion is glioma. Choose --lesion"),
        ({"resolution": 2.0, "profile": "fast"}, "Choose --profile fast"),
        ({"more_contrasts": ("T1w",)}, "--more-contrasts T1w; this run has none"),
        (
            {"classes": (TumourClass(1, "oedema"), TumourClass(2, "core"))},
            "tells oedema, core, the annotations tell tumour",
        ),
    ],
)
def test_teachers_of_other_images_or_classes_are_refused(
    changes: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    job = asked(tmp_path, write_teacher(tmp_path / "earlier", **changes))
    with pytest.raises(UsageError, match=sentence):
        method_of(job).refuse(job)


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bids = make(tmp_path / "bids", "sub-01_FLAIR.nii.gz")
    start = [str(bids), str(tmp_path / "out"), "participant", "--teacher", str(tmp_path)]
    assert command(start) == EXIT_USAGE
    assert "--method fabrication" in capsys.readouterr().err
    fabrication = [*start, "--method", "fabrication", "--annotated-dir", str(bids)]
    assert command(fabrication) == EXIT_USAGE
    assert "add --semi-supervised" in capsys.readouterr().err
    assert command([*fabrication, "--semi-supervised"]) == EXIT_UNAVAILABLE
    assert "looked for senior/model.json" in capsys.readouterr().err
