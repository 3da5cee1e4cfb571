"""What a run is refused for before anything is computed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from synthtumour_bids.bids.hold_out import with_held_out
from synthtumour_bids.errors import DataError, UnavailableError, UsageError
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.settings import Step
from synthtumour_bids.steps import checks
from tests.builders.jobs import (
    make_job,
    mark_preprocessed,
    mark_trained,
    method_of,
    with_scans,
    with_settings,
)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    job = make_job(tmp_path, skip_bids_validation=True)
    mark_preprocessed(job, *job.selection.everything)
    return job


def refuse(job: Job) -> None:
    checks.refuse(job, method_of(job))


@pytest.mark.parametrize(
    ("numbers", "held_out", "counts"),
    [
        # FLAIR heads would be simulated.
        (
            {"tumourfree": 1, "contrast": "T2w"},
            (),
            "1 tumour-free participants and 2 tumour scans, 0 of them",
        ),
        ({"tumours": 0}, (), "2 tumour-free participants and 0 tumour scans, 0 of them"),
        ({}, ("tumour0", "sub-tumour1"), "participants and 2 tumour scans, 2 of them"),
    ],
)
def test_a_cohort_that_cannot_train_is_refused(
    tmp_path: Path, numbers: dict[str, Any], held_out: tuple[str, ...], counts: str
) -> None:
    job = make_job(tmp_path, hold_out=held_out, **numbers)
    message = f"found .*{counts} held out.*--tumourfree-dir.*--group-column"
    with pytest.raises(DataError, match=message):
        refuse(job)
    with pytest.raises(DataError, match=message):
        refuse(with_settings(job, analysis_level="group"))
    # Whoever is preprocessed alone needs no others, if there are others.
    refuse(with_settings(job, steps=(Step.PREPROCESS,)))
    refuse(with_settings(job, steps=(Step.PREPROCESS, Step.SEGMENT, Step.REPORT)))
    mark_trained(job)
    refuse(job)
    refuse(with_settings(job, model=job.layout.models))
    with pytest.raises(DataError, match=message):
        refuse(with_settings(job, retrain=True))


def test_a_cohort_that_can_train_is_taken(job: Job) -> None:
    refuse(with_settings(job, hold_out=("tumour0",)))
    one = job.selection.selected[:1]
    refuse(dataclasses.replace(job, selection=dataclasses.replace(job.selection, selected=one)))


def test_who_is_held_out_is_no_host(tmp_path: Path) -> None:
    # The other tumour-free participant alone cannot both teach and validate.
    scans = with_held_out(make_job(tmp_path).selection.everything, ("tumourfree0",))
    job = make_job(tmp_path, scans=tuple(scans), hold_out=("tumourfree0",), contrast="T2w")
    with pytest.raises(DataError, match=r"found 1 tumour-free participants \(and 1 held out\)"):
        refuse(job)


def test_who_has_taught_is_not_called_held_out(tmp_path: Path) -> None:
    job = make_job(tmp_path, steps=(Step.SEGMENT, Step.REPORT))
    mark_preprocessed(job, *job.selection.everything)
    mark_trained(job, Network.JUNIOR, members={"raw/sub-tumourfree0_FLAIR": "p"})
    refuse(job)
    scans = tuple(with_held_out(job.selection.everything, ("tumourfree0",)))
    with pytest.raises(UsageError, match=r"--hold-out: .* have learned from .*: tumourfree0\."):
        refuse(with_scans(job, *scans))


def test_nor_who_has_taught_with_a_tumour(tmp_path: Path) -> None:
    steps = (Step.SEGMENT, Step.REPORT)
    job = make_job(tmp_path, steps=steps, hold_out=("tumour0",))
    mark_preprocessed(job, *job.selection.everything)
    mark_trained(job, members={"raw/sub-tumour1_FLAIR": "p"})
    refuse(job)
    with pytest.raises(UsageError, match=r"--hold-out: .* have learned from .*: tumour1\."):
        refuse(with_settings(job, hold_out=("tumour1",)))


def test_synthetic_tumours_alone_need_no_real_ones(tmp_path: Path) -> None:
    refuse(make_job(tmp_path, tumours=0, steps=(Step.SYNTHESISE,)))


def test_broken_priors_are_refused_before_scans_are_preprocessed(job: Job, tmp_path: Path) -> None:
    priors = tmp_path / "priors.json"
    priors.write_text("{broken")
    with pytest.raises(UsageError, match=r"priors\.json .*--priors"):
        refuse(with_settings(job, priors=priors))
    refuse(with_settings(job, priors=priors, steps=(Step.PREPROCESS,)))


def test_batches_that_cannot_be_shared_out_are_refused(job: Job) -> None:
    with pytest.raises(UsageError, match=r"Use --num-gpus 1 or 2\."):
        refuse(with_settings(job, num_gpus=3))
    refuse(with_settings(job, num_gpus=2, dry_run=True))


def test_a_device_that_is_named_must_be_there(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    cuda = with_settings(job, device="cuda")
    with pytest.raises(UnavailableError, match="--device cuda was asked for"):
        refuse(cuda)
    for device in ("auto", "cpu"):
        refuse(with_settings(job, device=device))
    refuse(with_settings(cuda, steps=(Step.PREPROCESS,)))
    mark_trained(job)
    refuse(cuda)
    with pytest.raises(UnavailableError, match="--device cuda was asked for"):
        refuse(with_settings(cuda, retrain=True))


def test_contrasts_do_not_share_an_output_folder(job: Job) -> None:
    refuse(job)
    with pytest.raises(UsageError, match="FLAIR"):
        refuse(with_settings(job, contrast="T2w"))
