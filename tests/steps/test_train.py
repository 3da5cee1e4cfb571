"""When networks are trained, and when they are kept."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch

from synthtumour_bids.bids.classes import WHOLE_TUMOUR
from synthtumour_bids.errors import DataError, StoppedError
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.methods import lineage
from synthtumour_bids.methods.base import STARTED_FROM, Material
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.segmentation.model_card import CHECKPOINT
from synthtumour_bids.steps import train
from synthtumour_bids.tensors import load_tensors
from tests.builders.blob_cases import write_cases
from tests.builders.jobs import (
    make_job,
    mark_drawn,
    mark_preprocessed,
    mark_trained,
    method_of,
    with_settings,
    write_network,
)
from tests.builders.networks import SHAPE, TRAINING, VOXEL


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
    with pytest.raises(DataError, match="not those of this run"):
        train.run(retraining, method, Network.JUNIOR)
    assert all(folder.exists() for folder in old)
    mark_drawn(job)

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


def test_a_junior_may_start_from_a_network_that_is_given(
    tmp_path: Path, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Fabrication's starts from a starter; where that does not fit, from random weights."""
    cases = tuple(write_cases(tmp_path / "cases", 3, 1, shape=SHAPE, voxel=VOXEL))
    short = dataclasses.replace(TRAINING, epochs=1, iterations_per_epoch=1, learning_rate=1e-2)
    senior = dataclasses.replace(short, learning_rate=1e-4)
    profile = dataclasses.replace(PROFILES["sloppy"], junior=short, senior=senior)
    job = make_job(tmp_path, profile=profile, device="cpu", nprocs=1)
    model = shutil.copytree(model, tmp_path / "starter")
    write_network(model, name="starter")
    found = {}
    for name, start in (("given", model), ("random", None)):
        material = Material(cases, (), start=start)
        trained = train._train(job, Network.JUNIOR, material, WHOLE_TUMOUR)
        folder = job.layout.network(Network.JUNIOR)
        found[name] = load_tensors(folder / CHECKPOINT, torch.device("cpu"))["network_weights"]
        told = trained.told(Network.JUNIOR)
        assert (STARTED_FROM in told) is (start is not None)
        assert trained.training.learning_rate == (1e-4 if start else 1e-2)
        shutil.rmtree(folder)
    before = load_tensors(model / CHECKPOINT, torch.device("cpu"))["network_weights"]
    step = {
        name: max(float((after[key] - before[key]).abs().max()) for key in before)
        for name, after in found.items()
    }
    assert 0 < step["given"] < 1e-2 < step["random"]
    other = dataclasses.replace(profile, junior=dataclasses.replace(short, features=(8, 16)))
    with caplog.at_level("INFO"):
        trained = train._train(
            with_settings(job, profile=other), Network.JUNIOR, Material(cases, (), start=model),
            WHOLE_TUMOUR,
        )  # fmt: skip
    assert trained.start is None
    assert "The junior starts from random weights" in caplog.text
