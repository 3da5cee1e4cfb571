"""The plan as a table, and what is left of a run's scratch data."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from synthtumour_bids.execution.outcome import Outcome
from synthtumour_bids.settings import Step
from synthtumour_bids.steps import (
    coarse_samples,
    cohort,
    halves,
    mixing,
    plan,
    scratch,
    synthesise,
)
from synthtumour_bids.steps.job import Job
from tests.jobs import make_job, mark_preprocessed, mark_trained


@pytest.fixture
def job(tmp_path: Path) -> Job:
    job = make_job(tmp_path)
    mark_preprocessed(job, *job.selection.everything)
    return job


def states(job: Job) -> dict[str, str]:
    """State of each step that is done once for all scans."""
    return dict(line.split(": ") for line in plan.table(job).splitlines()[-4:])


def test_every_step_is_in_the_plan(job: Job) -> None:
    expected = {"synthesise": "to do", "junior": "to do", "senior": "to do", "report": "to do"}
    assert states(job) == expected
    settings = dataclasses.replace(job.settings, steps=(Step.PREPROCESS,))
    none = dict.fromkeys(expected, "not asked")
    assert states(dataclasses.replace(job, settings=settings)) == none


def test_the_plan_tells_how_far_an_earlier_run_came(job: Job) -> None:
    hosts = [scan for scan in job.selection.everything if scan.role == "tumourfree"]
    print_ = synthesise.settings_print(job)
    cohort.mark(job, synthesise.NAME, print_, cohort.members(job, hosts), [])
    assert states(job)["synthesise"] == "done"
    mark_trained(job, "junior")
    assert [states(job)[name] for name in ("junior", "senior")] == ["done", "to do"]
    mark_trained(job, "senior")
    assert [states(job)[name] for name in ("synthesise", "senior")] == ["done", "done"]
    assert states(job)["report"] == "to do"


def test_a_segmentation_is_to_be_made_anew_with_its_networks(job: Job) -> None:
    for name in plan.NETWORKS:
        mark_trained(job, name)
    scan = job.selected()[0]
    job.stamps.mark("segment", scan.key, "print", models=plan._networks(job))

    def line(job: Job) -> str:
        return next(line for line in plan.table(job).splitlines() if scan.path.name in line)

    assert line(job).count("done") == 2
    anew = dataclasses.replace(job, settings=dataclasses.replace(job.settings, retrain=True))
    assert line(anew).count("done") == 1


def test_every_step_s_scratch_is_removed(job: Job) -> None:
    work = job.settings.work_dir
    for module in (synthesise, mixing, halves, coarse_samples):
        (work / module.NAME).mkdir(parents=True)
    scratch.clean_work(job, Outcome())
    assert not work.exists()
