"""Where scratch data lie, and what is left of them."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from synthtumour_bids.execution.outcome import Outcome
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Scratch
from synthtumour_bids.steps import scratch
from tests.builders.jobs import make_job, with_settings


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return make_job(tmp_path)


def test_scratch_of_a_whole_run_is_removed_and_nothing_else(job: Job) -> None:
    work = job.settings.work_dir
    for folder in Scratch:
        (work / folder).mkdir(parents=True)
    (work / "mine.txt").touch()
    (work / "logs" / "slurm.log").touch()
    scratch.clean_work(with_settings(job, participant_label=("01",)), Outcome())
    assert (work / "stage_one").is_dir()
    scratch.clean_work(job, Outcome())
    assert sorted(path.name for path in work.rglob("*")) == ["logs", "mine.txt", "slurm.log"]


def test_an_empty_work_folder_is_removed(job: Job) -> None:
    (job.settings.work_dir / Scratch.NNUNET).mkdir(parents=True)
    scratch.clean_work(job, Outcome())
    assert not job.settings.work_dir.exists()


def test_outputs_that_share_a_work_folder_keep_their_scratch_apart(job: Job) -> None:
    one = scratch.with_own_work_dir(job.settings)
    other = dataclasses.replace(job.settings, output_dir=job.settings.output_dir / "other")
    assert one.work_dir.parent == job.settings.work_dir
    assert scratch.with_own_work_dir(job.settings) == one
    assert scratch.with_own_work_dir(other).work_dir not in (one.work_dir, job.settings.work_dir)
    # Moved or mounted elsewhere, an output finds its scratch again.
    moved = job.settings.output_dir.rename(job.settings.output_dir.with_name("moved"))
    again = scratch.with_own_work_dir(dataclasses.replace(job.settings, output_dir=moved))
    assert again.work_dir == one.work_dir
    assert [path.name for path in (moved / "logs").iterdir()] == ["output_id"]


def test_the_scratch_keeps_its_name_without_hard_links(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")  # as on exFAT and many SMB shares

    monkeypatch.setattr(os, "link", refuse)
    one = scratch.with_own_work_dir(job.settings)
    assert scratch.with_own_work_dir(job.settings) == one
    logs = job.settings.output_dir / "logs"
    assert [path.name for path in logs.iterdir()] == ["output_id"]


def test_a_work_folder_inside_the_output_is_taken_as_it_is(job: Job) -> None:
    inside = dataclasses.replace(job.settings, work_dir=job.settings.output_dir / "work")
    assert scratch.with_own_work_dir(inside) == inside
