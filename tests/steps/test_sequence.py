"""Which steps run, and what becomes of a run that cannot go on."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from synthtumour_bids.errors import DataError, StoppedError, UnavailableError
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.settings import Step
from synthtumour_bids.steps.sequence import Sequence
from tests.builders.jobs import make_job

DONE = ScanOutcome("raw/a", Step.PREPROCESS, Status.DONE)
FAILED = ScanOutcome("raw/b", Step.PREPROCESS, Status.FAILED, "it is empty")


@pytest.mark.parametrize(("stop", "expected"), [(True, []), (False, ["train", "segment"])])
def test_the_first_crash_ends_the_run_where_that_is_asked_for(
    tmp_path: Path, stop: bool, expected: list[str]
) -> None:
    do, ran = Sequence(make_job(tmp_path, stop_on_first_crash=stop)), []

    def note(step: str) -> list[ScanOutcome]:
        ran.append(step)
        return []

    with do.reporting(note, "report"):
        do(Step.PREPROCESS, lambda: [DONE, FAILED])
        do(Step.TRAIN, note, "train")
        do(Step.SEGMENT, note, "segment")
    assert ran == [*expected, "report"]
    assert do.outcome.records == (DONE, FAILED)


def test_steps_that_were_not_asked_for_do_not_run(tmp_path: Path) -> None:
    do = Sequence(make_job(tmp_path, steps=(Step.PREPROCESS,)))
    with do.reporting(lambda: [FAILED]):
        do(Step.PREPROCESS, lambda: [DONE])
        do(Step.SEGMENT, lambda: [FAILED])
    assert do.outcome.records == (DONE,)


def test_nothing_is_left_where_no_scan_could_be_preprocessed(tmp_path: Path) -> None:
    do, reports = Sequence(make_job(tmp_path)), []
    with (
        pytest.raises(DataError, match=r"None of the 1 scans .*\n  raw/b: it is empty"),
        do.reporting(lambda: reports.append("report") or []),
    ):
        do(Step.PREPROCESS, lambda: [FAILED])
    assert reports == ["report"], "reports are worth most when something went wrong"


@pytest.mark.parametrize("error", [DataError, RuntimeError])
def test_what_ended_a_training_is_kept_until_it_ends_well(
    tmp_path: Path, error: type[Exception]
) -> None:
    job = make_job(tmp_path)
    do, reports = Sequence(job), []

    def fail() -> list[ScanOutcome]:
        raise error(f"nothing was learned from {job.settings.bids_dir}")

    with pytest.raises(error), do.reporting(lambda: reports.append(job.ledger.stops()) or []):
        do(Step.TRAIN, fail)
    ((stop,),) = reports
    assert stop.step == "train"
    assert stop.message.endswith("nothing was learned from BIDS_DIR")
    do(Step.TRAIN, list)
    assert job.ledger.stops() == []


def test_each_step_is_surrounded(tmp_path: Path) -> None:
    seen = []
    do = Sequence(make_job(tmp_path), lambda step: seen.append(step) or nullcontext())
    with do.reporting(list):
        do(Step.TRAIN, list)
    assert seen == ["train", "report"]


@pytest.mark.parametrize(("error", "reported"), [(StoppedError, 0), (UnavailableError, 1)])
def test_a_stop_leaves_no_time_for_reports(
    tmp_path: Path, error: type[BaseException], reported: int
) -> None:
    do, reports = Sequence(make_job(tmp_path)), []
    with pytest.raises(error), do.reporting(lambda: reports.append("report") or []):
        raise error("no")
    assert len(reports) == reported
