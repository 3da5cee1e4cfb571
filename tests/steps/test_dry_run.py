"""The plan as a table, and what is left of a run's scratch data."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from synthtumour_bids.steps.job import Job

from synthtumour_bids.errors import DataError, UnavailableError, UsageError
from synthtumour_bids.execution.outcome import Outcome
from synthtumour_bids.settings import Method, Step
from synthtumour_bids.steps import (
    coarse_samples,
    cohort,
    halves,
    mixing,
    plan,
    scratch,
    synthesise,
)
from tests.builders.jobs import make_job, mark_preprocessed, mark_trained


@pytest.fixture
def job(tmp_path: Path) -> Job:
    job = make_job(tmp_path)
    mark_preprocessed(job, *job.selection.everything)
    return job


def states(job: Job) -> dict[str, str]:
    """State of each step that is done once for all scans."""
    return dict(line.split(": ") for line in plan.table(job).splitlines()[-4:])


def with_settings(job: Job, **changes: Any) -> Job:
    return dataclasses.replace(job, settings=dataclasses.replace(job.settings, **changes))


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


def test_samples_of_the_hosts_that_are_wanted_are_enough(job: Job, tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    profile = dataclasses.replace(job.settings.profile, n_train=1, n_shifted=1)
    few = make_job(tmp_path / "few", tumourfree=6, profile=profile)
    assert states(few)["synthesise"] == "to do", "nothing is preprocessed yet"
    mark_preprocessed(few, *few.selection.everything)
    hosts = synthesise.wanted_hosts(few)
    assert len(hosts) < 6
    print_ = synthesise.settings_print(few)
    cohort.mark(few, synthesise.NAME, print_, cohort.members(few, hosts), [])
    assert states(few)["synthesise"] == "done"


@pytest.mark.parametrize(
    ("numbers", "held_out", "counts"),
    [
        ({"tumourfree": 1}, (), "1 tumour-free participants and 2 tumour scans, 0 of them"),
        ({"tumours": 0}, (), "2 tumour-free participants and 0 tumour scans, 0 of them"),
        ({}, ("tumour0", "sub-tumour1"), "participants and 2 tumour scans, 2 of them"),
    ],
)
def test_a_cohort_that_cannot_train_is_refused(
    tmp_path: Path, numbers: dict[str, int], held_out: tuple[str, ...], counts: str
) -> None:
    job = make_job(tmp_path, hold_out=held_out, **numbers)
    message = f"found .*{counts} held out.*--tumourfree-dir.*--group-column"
    with pytest.raises(DataError, match=message):
        plan.check_cohort(job)
    with pytest.raises(DataError, match=message):
        plan.check_cohort(with_settings(job, analysis_level="group"))
    # Whoever is preprocessed alone needs no others, if there are others.
    plan.check_cohort(with_settings(job, steps=(Step.PREPROCESS,)))
    plan.check_cohort(with_settings(job, steps=(Step.PREPROCESS, Step.SEGMENT, Step.REPORT)))
    plan.check_cohort(with_settings(job, model=tmp_path))
    plan.check_cohort(with_settings(job, method=Method.FABRICATION))
    for name in plan.NETWORKS:
        mark_trained(job, name)
    plan.check_cohort(job)
    with pytest.raises(DataError, match=message):
        plan.check_cohort(with_settings(job, retrain=True))


def test_a_cohort_that_can_train_is_taken(job: Job) -> None:
    plan.check_cohort(with_settings(job, hold_out=("tumour0",)))
    one = job.selection.selected[:1]
    alone = dataclasses.replace(job, selection=dataclasses.replace(job.selection, selected=one))
    plan.check_cohort(alone)


def test_synthetic_tumours_alone_need_no_real_ones(tmp_path: Path) -> None:
    plan.check_cohort(make_job(tmp_path, tumours=0, steps=(Step.SYNTHESISE,)))


def test_broken_priors_are_refused_before_scans_are_preprocessed(job: Job, tmp_path: Path) -> None:
    priors = tmp_path / "priors.json"
    priors.write_text("{broken")
    with pytest.raises(UsageError, match=r"priors\.json"):
        plan.check_cohort(with_settings(job, priors=priors))
    plan.check_cohort(with_settings(job, priors=priors, steps=(Step.PREPROCESS,)))


def test_batches_that_cannot_be_shared_out_are_refused(job: Job) -> None:
    with pytest.raises(UsageError, match=r"Use --num-gpus 1 or 2\."):
        plan.check_cohort(with_settings(job, num_gpus=3))
    plan.check_cohort(with_settings(job, num_gpus=2))


def test_a_device_that_is_named_must_be_there(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    cuda = with_settings(job, device="cuda")
    with pytest.raises(UnavailableError, match="--device cuda was asked for"):
        plan.check_gpus(cuda)
    for device in ("auto", "cpu"):
        plan.check_gpus(with_settings(job, device=device))
    plan.check_gpus(with_settings(cuda, steps=(Step.PREPROCESS,)))
    for name in plan.NETWORKS:
        mark_trained(job, name)
    plan.check_gpus(cuda)
    with pytest.raises(UnavailableError, match="--device cuda was asked for"):
        plan.check_gpus(with_settings(cuda, retrain=True))


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
