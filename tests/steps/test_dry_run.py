"""The plan as a table."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.ledger import COHORT
from synthtumour_bids.methods.label_free import stage_one
from synthtumour_bids.settings import Role, Step
from synthtumour_bids.steps import dry_run
from tests.builders.jobs import (
    make_job,
    mark_preprocessed,
    mark_trained,
    method_of,
    with_settings,
)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    job = make_job(tmp_path)
    mark_preprocessed(job, *job.selection.everything)
    return job


def table(job: Job) -> str:
    return dry_run.table(job, method_of(job))


def states(job: Job) -> dict[str, str]:
    """State of each step that is done once for all scans."""
    return dict(line.split(": ") for line in table(job).splitlines()[-4:])


def mark_drawn(job: Job) -> None:
    """Say that the stage-1 samples are drawn into all hosts."""
    hosts = job.preprocessed(Role.TUMOURFREE)
    path = job.settings.work_dir / "stage_one" / "samples.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[]")
    fingerprint = stage_one.settings_fingerprint(job.settings)
    members = job.preprocessing_fingerprints(hosts)
    job.ledger.mark(COHORT, stage_one.NAME, fingerprint, [path], members=members)


def test_every_step_is_in_the_plan(job: Job) -> None:
    expected = {"synthesise": "to do", "junior": "to do", "senior": "to do", "report": "to do"}
    assert states(job) == expected
    none = dict.fromkeys(expected, "not asked")
    assert states(with_settings(job, steps=(Step.PREPROCESS,))) == none
    assert not job.settings.work_dir.exists(), "a dry run leaves no trace"


def test_the_plan_tells_how_far_an_earlier_run_came(job: Job) -> None:
    mark_drawn(job)
    assert states(job)["synthesise"] == "done"
    mark_trained(job, Network.JUNIOR, members=job.preprocessing_fingerprints(job.selected()))
    assert [states(job)[name] for name in ("junior", "senior")] == ["done", "to do"]
    mark_trained(job, Network.SENIOR)
    assert [states(job)[name] for name in ("synthesise", "senior")] == ["done", "done"]
    assert states(job)["report"] == "to do"


def test_samples_of_the_hosts_that_are_wanted_are_enough(tmp_path: Path) -> None:
    profile = dataclasses.replace(make_job(tmp_path / "a").settings.profile, n_train=1, n_shifted=1)
    few = make_job(tmp_path / "b", tumourfree=6, profile=profile)
    assert states(few)["synthesise"] == "to do", "nothing is preprocessed yet"
    hosts = [scan for scan in few.selection.everything if scan.role is Role.TUMOURFREE]
    mark_preprocessed(few, *hosts)
    mark_drawn(few)
    assert states(few)["synthesise"] == "to do", "some of these hosts are of no use"


def test_a_segmentation_is_to_be_made_anew_with_its_networks(job: Job) -> None:
    mark_trained(job)
    scan = job.selected()[0]
    models = {network.value: job.model(network).card.fingerprint for network in Network}
    job.ledger.mark(Step.SEGMENT, scan.key, "print", scan=scan, models=models)

    def line(job: Job) -> str:
        return next(line for line in table(job).splitlines() if scan.path.name in line)

    assert line(job).count("done") == 2
    assert line(with_settings(job, retrain=True)).count("done") == 1
    assert line(with_settings(job, keep_mask=True)).count("done") == 2, "0.1.0 compared nothing"
    job.ledger.mark(Step.SEGMENT, scan.key, "print", scan=scan, models=models, keep_mask=False)
    assert line(job).count("done") == 2
    assert line(with_settings(job, keep_mask=True)).count("done") == 1


def test_tumourfree_scans_are_of_no_use_to_given_networks(job: Job) -> None:
    mark_trained(job)
    given = with_settings(job, model=job.layout.models)
    rows = [line.split() for line in table(given).splitlines() if "tumourfree0_" in line]
    assert rows[0][-2:] == ["-", "-"]
