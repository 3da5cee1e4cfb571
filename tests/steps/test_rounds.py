"""``--rounds``: how many a run has, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from synthtumour_bids.cli.parser import parse_settings
from synthtumour_bids.errors import UsageError
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.ledger import COHORT
from synthtumour_bids.methods import rounds
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.settings import Method
from synthtumour_bids.steps import dry_run, train
from synthtumour_bids.steps.rounds import with_rounds
from tests.builders.datasets import make
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


def settled(job: Job, number: int | None = None, **settings: object) -> int:
    return with_rounds(with_settings(job, rounds=number, **settings))[0].round


def test_a_folder_keeps_its_rounds_and_goes_back_by_retraining_alone(job: Job) -> None:
    assert (settled(job), settled(job, 3)) == (1, 3)
    mark_trained(job)
    assert (settled(job), settled(job, 1), settled(job, 2)) == (1, 1, 2)
    job.ledger.mark(COHORT, Network.SENIOR, "r", members={}, round=2)
    assert (settled(job), settled(job, 2), settled(job, 3)) == (2, 2, 3)
    with pytest.raises(UsageError, match=r"--rounds 1: the senior in .* is of round 2.*--retrain"):
        settled(job, 1)
    assert (settled(job, retrain=True), settled(job, 1, retrain=True)) == (1, 1)
    assert settled(job, method=Method.FABRICATION) == settled(job, model=job.layout.models) == 1


def test_a_retraining_with_fewer_rounds_than_before_is_told_of(job: Job) -> None:
    def told(**settings: object) -> str:
        return with_rounds(with_settings(job, **settings))[1]

    mark_trained(job)
    assert told(retrain=True) == ""
    job.ledger.mark(COHORT, Network.SENIOR, "r", members={}, round=2)
    assert "--retrain trains one senior" in told(retrain=True)
    assert "--rounds 2 trains as many again" in told(retrain=True)
    assert told() == told(rounds=3) == told(rounds=1, retrain=True) == ""


def test_a_run_that_was_stopped_goes_on_without_the_flag(job: Job) -> None:
    before = set(job.ledger.folder(COHORT).glob("*"))
    with train.alone(job.until_round(1), method_of(job)):
        pass
    assert set(job.ledger.folder(COHORT).glob("*")) == before, "one round leaves no note"
    with train.alone(job.until_round(3), method_of(job)):
        pass
    assert settled(job) == 3
    with train.alone(job.until_round(2), method_of(job)):
        pass
    assert settled(job) == 2
    with train.alone(job.until_round(1), method_of(job)):
        pass
    assert settled(job) == 1


def test_the_plan_lists_every_round(job: Job) -> None:
    def plan() -> list[str]:
        lines = dry_run.table(job.until_round(3), method_of(job)).splitlines()
        return [line for line in lines if line.startswith(("junior", "senior"))]

    seniors = ["senior", "senior of round 2", "senior of round 3"]
    assert plan() == [f"{name}: to do" for name in ("junior", *seniors)]
    mark_trained(job)
    states = ("done", "to do", "to do")
    assert plan()[1:] == [f"{name}: {one}" for name, one in zip(seniors, states, strict=True)]


def test_a_further_senior_starts_from_the_one_before(job: Job) -> None:
    mark_trained(job)
    job = with_settings(job, profile=PROFILES["full"])
    assert not train._training(job, Network.SENIOR).from_junior
    second = job.until_round(2)
    assert train._training(second, Network.SENIOR).from_junior
    assert rounds.teacher(second).folder == job.layout.network(Network.SENIOR)
    assert rounds.room(second, Network.SENIOR) == job.layout.models / "rounds" / "2"


@pytest.mark.parametrize(
    "flags", [["--method", "fabrication", "--annotated-dir", "."], ["--model", "starter"]]
)
def test_methods_without_rounds_refuse_them(flags: list[str], tmp_path: Path) -> None:
    bids = make(tmp_path / "bids", "sub-01_FLAIR.nii.gz")
    command = [str(bids), str(tmp_path / "new"), "participant", *flags, "--rounds", "2"]
    with pytest.raises(UsageError, match="--rounds has no effect with it"):
        parse_settings(command)
