from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from synthtumour_bids.errors import (
    StoppedError,
    UnavailableError,
    UsageError,
)
from synthtumour_bids.profiles import Training
from synthtumour_bids.segmentation.curve import SelectionCurve
from synthtumour_bids.segmentation.dataset import PreparedDataset, build_dataset
from synthtumour_bids.segmentation.distributed import Progress, Stop, check_batch, launch
from synthtumour_bids.segmentation.environment import nnunet_environment
from synthtumour_bids.segmentation.plans import CONFIGURATION
from synthtumour_bids.segmentation.ranks import Ranks
from synthtumour_bids.segmentation.trainer import SynthTumourTrainer
from synthtumour_bids.segmentation.training import train
from tests.builders.blob_cases import write_cases

pytestmark = pytest.mark.slow

# Three stages, so that there is deep supervision.
TRAINING = Training(
    epochs=4,
    iterations_per_epoch=8,
    patience=4,
    min_epochs=1,
    batch_size=2,
    patch_size=(16, 24, 16),
    features=(4, 8, 8),
    optimiser="adamw",
    learning_rate=1e-2,
)
SEED = 5
CPU = torch.device("cpu")
SECONDS = 300  # the longest that anything here may take on a busy machine

IN_ANOTHER_PROCESS = """
import pickle, sys
from pathlib import Path
from tests.segmentation.test_distributed import SEED, TRAINING
from synthtumour_bids.segmentation.training import train

with open(sys.argv[1], "rb") as file:
    prepared = pickle.load(file)
train(
    prepared, Path(sys.argv[2]), training=TRAINING, device="cpu", seed=SEED, nprocs=4,
    num_gpus=2, checkpoint_seconds=0,
)
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    folder = tmp_path_factory.mktemp("tiny")
    cases = write_cases(folder / "cases", 8, 3, shape=(24, 28, 24))
    return build_dataset(
        cases, folder / "work", dataset_id=503, name="tiny", training=TRAINING, n_processes=1
    )


def run(prepared: PreparedDataset, model: Path, num_gpus: int, **changes: object) -> SelectionCurve:
    options = {"training": TRAINING, "device": "cpu", "seed": SEED, "nprocs": 2} | changes
    return train(prepared, model, num_gpus=num_gpus, **options)


@pytest.fixture(scope="module")
def alone(
    prepared: PreparedDataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, SelectionCurve]:
    model = tmp_path_factory.mktemp("alone")
    return model, run(prepared, model, 1, nprocs=1)


def same_curves(one: SelectionCurve, other: SelectionCurve) -> None:
    assert one.epochs == other.epochs
    np.testing.assert_allclose(one.train_loss, other.train_loss, rtol=1e-3)
    np.testing.assert_allclose(one.shifted_loss, other.shifted_loss, rtol=1e-2)
    np.testing.assert_allclose(one.shifted_dice, other.shifted_dice, atol=1e-2)


def finished_epochs(latest: Path) -> int:
    return len(SelectionCurve.from_json(torch.load(latest, weights_only=True)["curve"]).epochs)


# --- the same training, shared out ---------------------------------------------------------


@dataclass(frozen=True)
class Steps:
    prepared: PreparedDataset
    folder: Path


def some_steps(task: Steps, ranks: Ranks, stop: Stop, progress: Progress | None) -> None:
    plans = task.prepared.plans()
    plans["configurations"][CONFIGURATION]["batch_dice"] = True
    torch.manual_seed(SEED + ranks.rank)  # rank 0's initial weights count
    with nnunet_environment(task.prepared.folder):
        trainer = SynthTumourTrainer(
            plans, CONFIGURATION, 0, task.prepared.dataset_json(), ranks.device
        )
        trainer.set_up(replace(TRAINING, optimiser="sgd", learning_rate=1e-3), ranks)
        trainer.open_data()
    losses = [trainer.step(b, i) for i, b in enumerate(trainer.batches(SEED, 0, 0, 0))]
    score = trainer.score()
    content = {
        "losses": losses,
        "network": [p.detach() for p in trainer.network.parameters()],
        "average": trainer.average,
        "names": list(trainer.bare_network.state_dict()),
        "score": (score.dice, score.loss),
    }
    torch.save(content, task.folder / f"{ranks.rank}of{ranks.size}.pt")
    assert not stop.is_set()
    if ranks.size > 1:
        with_a_worker = iter(trainer.batches(SEED, 1, 0, 1))
        next(with_a_worker)
        ranks.any(False)  # all have come here
        if progress is not None:
            progress(1, 1, 0.0, 0.0, 0.0)
        time.sleep(SECONDS)


@dataclass(frozen=True)
class Killed:
    """What two processes left of which one was killed after some steps.

    Attributes
    ----------
    steps
        What they were told.
    error
        What the launching process said.
    seen
        How many processes there were, those that prepare batches included.
    """

    steps: Steps
    error: UnavailableError
    seen: int


@pytest.fixture(scope="module")
def killed(prepared: PreparedDataset, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    steps = Steps(prepared, tmp_path_factory.mktemp("killed"))
    seen: list[int] = []

    def kill(*_: float) -> None:
        seen.append(len(marked(steps.folder)))
        first = min(multiprocessing.active_children(), key=lambda process: process.pid)
        first.kill()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MARK, str(steps.folder))
        with pytest.raises(UnavailableError) as raised:
            launch(some_steps, steps, [CPU, CPU], stop=threading.Event(), progress=kill)
    return Killed(steps, raised.value, *seen)


def test_weights_are_the_same_on_all_ranks(killed: Killed) -> None:
    """With a Dice over the whole batch, too, for which ranks must hear of each other's voxels."""
    some_steps(killed.steps, Ranks(CPU), threading.Event(), None)
    first, second, alone = (
        torch.load(killed.steps.folder / name, weights_only=True)
        for name in ("0of2.pt", "1of2.pt", "0of1.pt")
    )
    assert first["losses"] == second["losses"]
    assert first["score"] == second["score"]
    assert first["names"] == alone["names"]  # no wrapper's prefix
    for kind in ("network", "average"):
        for one, other in zip(first[kind], second[kind], strict=True):
            assert torch.equal(one, other)
        for one, other in zip(first[kind], alone[kind], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(first["losses"], alone["losses"], rtol=1e-4)
    np.testing.assert_allclose(first["score"], alone["score"], rtol=1e-3)


def test_samples_follow_from_their_place_alone(prepared: PreparedDataset) -> None:
    with nnunet_environment(prepared.folder):
        trainer = SynthTumourTrainer(
            prepared.plans(), CONFIGURATION, 0, prepared.dataset_json(), CPU
        )
        trainer.set_up(TRAINING)
        trainer.open_data()
    whole = list(trainer.batches(SEED, 1, 3, 0))
    assert len(whole) == TRAINING.iterations_per_epoch - 3
    shares = []
    for rank in range(2):
        trainer.ranks = Ranks(CPU, rank, 2)
        shares.append(list(trainer.batches(SEED, 1, 3, rank)))  # the second with a worker
    for batch, first, second in zip(whole, *shares, strict=True):
        assert torch.equal(batch["data"], torch.cat([first["data"], second["data"]]))
        assert len(batch["target"]) == 2  # resolutions
        for level in range(2):
            parts = [first["target"][level], second["target"][level]]
            assert torch.equal(batch["target"][level], torch.cat(parts))
        assert (second["target"][0] > 0).any()  # the last half is centred on tumour
    assert not torch.equal(whole[0]["data"][0], whole[0]["data"][1])


def test_batches_that_cannot_be_shared_out(prepared: PreparedDataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has 2 patches.* Use --num-gpus 1 or 2"):
        run(prepared, tmp_path / "model", 3)
    with pytest.raises(UsageError, match="Use --num-gpus 1 or 2 or 3 or 6"):
        check_batch(6, 4)
    check_batch(6, 3)
    assert not (tmp_path / "model").exists()


# --- stopping, dying, going on -------------------------------------------------------------


def test_two_processes_train_as_one_does_and_sigterm_saves_and_stops_them(
    prepared: PreparedDataset, alone: tuple[Path, SelectionCurve], tmp_path: Path
) -> None:
    calls: list[tuple[float, ...]] = []

    def ask(*now: float) -> None:
        calls.append(now)
        if now[0] == 2:
            for process in multiprocessing.active_children():  # a scheduler signals all of them
                os.kill(process.pid, signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(StoppedError, match=r"epoch \d of 4 of training; the state is saved"):
        run(prepared, tmp_path, 2, progress=ask, checkpoint_seconds=1e6)
    assert signal.getsignal(signal.SIGTERM) == before
    assert not multiprocessing.active_children()
    done = finished_epochs(tmp_path / "fold_0" / "checkpoint_latest.pth")
    assert 2 <= done < 4
    # Going on with another number of processes.
    curve = run(prepared, tmp_path, 1, progress=lambda *now: calls.append(now))
    assert [call[0] for call in calls] == [1, 2, 3, 4]
    assert [call[3] for call in calls] == list(curve.shifted_dice)
    same_curves(curve, alone[1])
    files = [sorted(p.name for p in m.rglob("*") if p.is_file()) for m in (tmp_path, alone[0])]
    assert files[0] == files[1]


def test_a_killed_process_ends_the_others(killed: Killed) -> None:
    sentence = "Process 1 of 2 of the training, on cpu, was killed (SIGKILL)"
    assert sentence in str(killed.error)
    assert killed.seen >= 4
    all_gone(killed.steps.folder)


MARK = "SYNTHTUMOUR_TEST_MARK"


def marked(mark: Path) -> list[psutil.Process]:
    """Processes that were started with the mark in their environment, and those they forked."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            ours = process.environ().get(MARK) == str(mark) and process.status() != "zombie"
            if ours and "resource_tracker" not in " ".join(process.cmdline()):
                found.append(process)
    return found


def all_gone(mark: Path) -> None:
    deadline = time.monotonic() + 60
    while left := marked(mark):
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


def test_no_process_outlives_the_command_and_what_it_saved_is_gone_on_from(
    prepared: PreparedDataset, alone: tuple[Path, SelectionCurve], tmp_path: Path
) -> None:
    (tmp_path / "prepared").write_bytes(pickle.dumps(prepared))
    root = Path(__file__).parents[2]
    latest = tmp_path / "model" / "fold_0" / "checkpoint_latest.pth"
    process = subprocess.Popen(
        [sys.executable, "-c", IN_ANOTHER_PROCESS, tmp_path / "prepared", tmp_path / "model"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root), MARK: str(tmp_path)},
    )
    try:
        deadline = time.monotonic() + SECONDS
        while not latest.is_file():
            assert process.poll() is None, "training ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert len(marked(tmp_path)) >= 3
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL
    all_gone(tmp_path)
    assert finished_epochs(latest) or torch.load(latest, weights_only=True)["losses"]
    same_curves(run(prepared, tmp_path / "model", 1), alone[1])


TIED_TOO_LATE = """
import multiprocessing, os, sys, time
from pathlib import Path
from synthtumour_bids.execution.child import tie_to_parent

def work(parent, folder):
    while os.getppid() == parent:
        time.sleep(0.01)
    (folder / "orphan").touch()
    tie_to_parent()
    (folder / "works").touch()

arguments = os.getpid(), Path(sys.argv[1])
multiprocessing.get_context("fork").Process(target=work, args=arguments).start()
os._exit(0)
"""


def test_a_process_whose_parent_died_first_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MARK, str(tmp_path))
    subprocess.run([sys.executable, "-c", TIED_TOO_LATE, tmp_path], check=True)
    all_gone(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["orphan"]
