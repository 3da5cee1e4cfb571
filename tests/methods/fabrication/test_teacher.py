"""Pseudo-labels for fabrication by a network of another run (--teacher)."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from synthtumour_bids.steps.job import TEACHER, Job

from synthtumour_bids.__main__ import main as command
from synthtumour_bids.errors import EXIT_UNAVAILABLE, EXIT_USAGE, UsageError
from synthtumour_bids.segmentation.metrics import evaluate
from synthtumour_bids.settings import Method, Role
from synthtumour_bids.steps import given_models, pseudo, train
from tests.builders.blob_cases import blob_brain
from tests.builders.datasets import make
from tests.builders.jobs import make_job, mark_preprocessed
from tests.builders.networks import SHAPE, VOXEL

TUMOUR = {"index": 1, "name": "tumour", "abbreviation": "", "color": ""}
DESCRIPTION = {
    "Method": "synthtumour",
    "Preset": "default",
    "Profile": "sloppy",
    "Fingerprint": "0123",
    "Contrast": "FLAIR",
    "MoreContrasts": [],
    "Resolution": 4.0,
    "Classes": [TUMOUR],
}


def write_teacher(models: Path, network: Path | None = None, **changes: Any) -> Path:
    """Models folder of another run, with a real network or with a description alone."""
    senior = models / "senior"
    if network is None:
        senior.mkdir(parents=True)
    else:
        shutil.copytree(network, senior)
    (senior / "model.json").write_text(json.dumps({**DESCRIPTION, **changes}))
    return models


def asked(tmp_path: Path, teacher: Path, **more: Any) -> Job:
    more = {"method": Method.FABRICATION, "semi_supervised": True, "teacher": teacher, **more}
    return make_job(tmp_path, **more)


def write_blobs(job: Job) -> dict[str, np.ndarray]:
    """Preprocessed tumour scans of a job, with blobs; where these are, by scan."""
    tumours = [scan for scan in job.selection.everything if scan.role is Role.TUMOUR]
    mark_preprocessed(job, *tumours)
    truth = {}
    for seed, scan in enumerate(tumours, 77):
        data, truth[scan.key] = blob_brain(seed, SHAPE)
        affine = np.diag([VOXEL, VOXEL, VOXEL, 1.0])
        for path, values in (
            (job.standard_image(scan), data),
            (job.standard_mask(scan), (data != 0).astype(np.uint8)),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(values, affine), path)
    return truth


def test_the_teacher_labels_the_scans(model: Path, tmp_path: Path) -> None:
    """No junior is there; what the scans' further contrasts show is not given to the teacher."""
    job = asked(tmp_path, write_teacher(tmp_path / "earlier", model))
    truth = write_blobs(job)
    tumours = [scan for scan in job.selection.everything if scan.role is Role.TUMOUR]
    others = [replace(scan, contrasts=(scan,)) for scan in tumours]
    cases = {case.name: case for case in pseudo.cases(job, others)}
    for scan in tumours:
        label = np.asanyarray(nib.load(cases[f"pseudo-{scan.key.replace('/', '-')}"].label).dataobj)
        assert evaluate(label > 0, truth[scan.key] > 0, (VOXEL,) * 3).dice > 0.7
    with (job.settings.output_dir / "models" / "pseudo_labels.tsv").open() as table:
        used = [row["used"] for row in csv.DictReader(table, delimiter="\t")]
    assert used == ["true", "true"]


def test_the_scans_refine_labels_of_a_network_without_annotations(
    model: Path, tmp_path: Path
) -> None:
    labels = {}
    for method in Method:
        job = asked(tmp_path / method, write_teacher(tmp_path / method / "models", model))
        described = json.dumps({**DESCRIPTION, "Method": method})
        (job.model_dir(TEACHER) / "model.json").write_text(described)
        truth = write_blobs(job)
        tumours = [scan for scan in job.selection.everything if scan.role is Role.TUMOUR]
        labels[method] = {
            item.scan.key: np.asanyarray(nib.load(item.label).dataobj) > 0
            for item in pseudo.label(job, tumours, network=TEACHER)
        }
    for key, manual in truth.items():
        refined, said = (labels[method][key] for method in Method)
        spacing = (VOXEL,) * 3
        assert not np.array_equal(refined, said)
        better, worse = (evaluate(one, manual > 0, spacing).dice for one in (refined, said))
        assert better > worse


def test_another_teacher_is_another_senior(model: Path, tmp_path: Path) -> None:
    job = asked(tmp_path, write_teacher(tmp_path / "earlier", model))
    with_teacher = train.senior_print(job)
    own = replace(job, settings=replace(job.settings, teacher=None))
    assert with_teacher != train.senior_print(own)
    checkpoint = tmp_path / "earlier" / "senior" / "fold_0" / "checkpoint_best.pth"
    checkpoint.write_bytes(checkpoint.read_bytes() + b" ")
    assert train.senior_print(job) != with_teacher
    assert train.junior_print(job) == train.junior_print(own)


def test_the_folder_may_be_the_output_of_the_earlier_run_or_its_senior(tmp_path: Path) -> None:
    models = write_teacher(tmp_path / "earlier" / "models")
    job = asked(tmp_path, models.parent)
    assert given_models.with_teacher(job.settings).teacher == models
    senior = replace(job.settings, teacher=models / "senior")
    assert given_models.with_teacher(senior).teacher == models


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"Contrast": "T2w"}, "trained on T2w images; --contrast asks for FLAIR"),
        ({"Resolution": 2.0, "Profile": "fast"}, "Choose --profile fast"),
        ({"MoreContrasts": ["T1w"]}, "--more-contrasts T1w; this run has none"),
    ],
)
def test_teachers_of_other_images_are_refused(
    changes: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    job = asked(tmp_path, write_teacher(tmp_path / "earlier", **changes))
    with pytest.raises(UsageError, match=sentence):
        given_models.with_teacher(job.settings)


def test_teachers_of_other_classes_are_refused(tmp_path: Path) -> None:
    classes = [{**TUMOUR, "name": "oedema"}, {**TUMOUR, "index": 2, "name": "core"}]
    job = asked(tmp_path, write_teacher(tmp_path / "earlier", Classes=classes))
    with pytest.raises(UsageError, match="tells oedema, core, the annotations tell tumour"):
        given_models.check_teacher(job)


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
