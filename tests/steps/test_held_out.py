"""Annotated scans that are held out: nothing is made of them, and no copy of theirs teaches."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids import app
from synthtumour_bids.bids.inputs import Selection, collect_scans
from synthtumour_bids.job import IMAGE, Job
from synthtumour_bids.methods.fabrication.method import Fabrication
from synthtumour_bids.methods.learners import learnable
from synthtumour_bids.preprocessing.preflight import check
from synthtumour_bids.settings import Method, Role, Settings, Step
from synthtumour_bids.steps import held_out
from synthtumour_bids.steps.copies import warn_of_copies
from synthtumour_bids.steps.sequence import Sequence
from synthtumour_bids.volumes import hash_values
from tests.builders.datasets import make
from tests.builders.jobs import make_job, make_scan, mark_preprocessed, method_of


def write(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).normal(100, 10, (40, 40, 40)).astype(np.float32)
    nib.save(nib.Nifti1Image(values, np.diag([4.0, 4.0, 4.0, 1.0])), path)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Two tumour scans; one of them is also in the annotated dataset, under a label held out."""
    scans = tuple(make_scan(tmp_path / "bids", label) for label in "AB")
    aside = make_scan(tmp_path / "annotated", "07", Role.ANNOTATED, dataset="annotated")
    for seed, scan in enumerate(scans):
        write(scan.path, seed)
    aside.path.parent.mkdir(parents=True)
    shutil.copy(scans[0].path, aside.path)
    job = make_job(tmp_path, scans=scans, method=Method.FABRICATION, hold_out=("07",), nprocs=1)
    for scan in scans:
        mark_preprocessed(job, scan, image=hash_values(check(scan.path).image))
    return replace(job, selection=Selection(scans, scans, aside=(aside,)))


def learned(job: Job) -> list[str]:
    return [scan.subject for scan in learnable(job, Role.TUMOUR)]


def test_a_copy_of_a_scan_that_is_used_for_nothing_teaches_nothing(job: Job, caplog: Any) -> None:
    held_out.recognise(job)
    assert learned(job) == ["B"]
    with caplog.at_level(logging.WARNING):
        warn_of_copies(job)
    told = "annotated/sub-07_FLAIR is the same image as raw/sub-A_FLAIR, and held out"
    assert told in caplog.text
    assert not job.ledger.read(Step.PREPROCESS, "annotated/sub-07_FLAIR")


def test_images_are_read_before_anything_is_learned(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(Fabrication, "make_samples", lambda _, run: seen.append(learned(run)) or [])
    job = replace(job, settings=replace(job.settings, steps=(Step.SYNTHESISE,)))
    app._run_steps(Sequence(job), job, method_of(job))
    assert seen == [["B"]]


def test_images_are_read_once_and_anew_after_a_change(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_out.recognise(job)
    (aside,) = job.selection.aside
    noted = job.ledger.read(IMAGE, aside.key)
    with monkeypatch.context() as patched:
        patched.setattr(Job, "map", None)
        held_out.recognise(job)
    write(aside.path, seed=7)
    held_out.recognise(job)
    assert job.ledger.read(IMAGE, aside.key) != noted
    assert learned(job) == ["A", "B"]


def test_what_cannot_be_read_is_told(job: Job, caplog: Any) -> None:
    (aside,) = job.selection.aside
    aside.path.write_bytes(b"no image")
    with caplog.at_level(logging.WARNING):
        held_out.recognise(job)
    assert "annotated/sub-07_FLAIR: held out (--hold-out), but whether its image" in caplog.text
    assert learned(job) == ["A", "B"]


def test_nothing_is_read_where_nothing_is_learned(job: Job) -> None:
    held_out.recognise(replace(job, settings=replace(job.settings, steps=(Step.SEGMENT,))))
    assert learned(job) == ["A", "B"]


def test_they_are_kept_aside(tmp_path: Path) -> None:
    main = make(tmp_path / "main", "sub-d_FLAIR.nii.gz")
    annotated = make(tmp_path / "annotated", *(f"sub-{label}_FLAIR.nii.gz" for label in "abcd"))
    make(annotated / "derivatives" / "m", *(f"sub-{label}_label-L_mask.nii.gz" for label in "abcd"))
    settings = Settings(
        main,
        tmp_path / "out",
        method=Method.FABRICATION,
        annotated_dir=annotated,
        tumourfree_dir=(make(tmp_path / "healthy", "sub-h_FLAIR.nii.gz"),),
        hold_out=("d",),
    )
    selection = collect_scans(settings)
    assert [scan.key for scan in selection.aside] == ["annotated/sub-d_FLAIR"]
    assert "raw/sub-d_FLAIR" in {scan.key for scan in selection.everything}
    inside = replace(settings, bids_dir=annotated)  # where they are segmented
    assert not collect_scans(inside).aside
