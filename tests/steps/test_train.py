"""When networks are trained, and when they are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from synthtumour_bids.errors import DataError, StoppedError
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.methods import lineage
from synthtumour_bids.steps import train
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


def test_finished_networks_are_kept(job: Job) -> None:
    mark_trained(job)
    for network in Network:
        (record,) = train.run(job, method_of(job), network)
        assert (record.key, record.status.value, record.of_scan) == (network, "skipped", False)


def test_nothing_is_trained_where_networks_are_given(job: Job) -> None:
    given = with_settings(job, model=job.layout.models)
    assert train.run(given, method_of(job), Network.SENIOR) == []


def test_retraining_starts_anew_once_and_then_goes_on(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark_trained(job)
    old = [job.layout.network(network) for network in Network]
    retraining, method = with_settings(job, retrain=True), method_of(job)
    assert not lineage.is_finished(retraining, method, Network.JUNIOR)
    with pytest.raises(DataError, match="run the synthesise step first"):
        train.run(retraining, method, Network.JUNIOR)
    assert all(folder.exists() for folder in old)  # nothing to learn from: nothing is removed
    samples = job.settings.work_dir / "stage_one" / "samples.json"
    samples.parent.mkdir(parents=True)
    samples.write_text("[]")

    def stopped(*_: object) -> None:
        raise StoppedError("no time left")

    monkeypatch.setattr(train, "_train", stopped)
    with pytest.raises(StoppedError):
        train.run(retraining, method, Network.JUNIOR)
    assert not any(folder.exists() for folder in old)
    mark_trained(job, Network.JUNIOR)
    (kept,) = train.run(retraining, method, Network.JUNIOR)
    assert kept.status.value == "skipped"
    mark_trained(job, Network.SENIOR)
    train.run(retraining, method, Network.SENIOR)
    train.conclude(retraining, method)
    assert not lineage.is_finished(retraining, method, Network.JUNIOR), "the next one is a new one"
