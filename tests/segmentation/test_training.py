from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from synthtumour_bids.errors import StoppedError, SynthTumourError, UnavailableError
from synthtumour_bids.profiles import Training
from synthtumour_bids.segmentation.batches import Batches
from synthtumour_bids.segmentation.cpu import faster_on_cpu
from synthtumour_bids.segmentation.curve import SelectionCurve, read_curve
from synthtumour_bids.segmentation.dataset import PreparedDataset, build_dataset
from synthtumour_bids.segmentation.training import train
from tests.builders.blob_cases import write_cases

TRAINING = Training(
    epochs=5,
    iterations_per_epoch=12,
    patience=5,
    min_epochs=1,
    batch_size=2,
    patch_size=(16, 24, 16),
    features=(4, 8),
    optimiser="adamw",
    learning_rate=1e-2,
)
SEED = 3

IN_ANOTHER_PROCESS = """
import sys
from pathlib import Path
from tests.segmentation.test_training import SEED, TRAINING, prepare
from synthtumour_bids.segmentation.training import train

folder = Path(sys.argv[1])
train(
    prepare(folder), folder / "model", training=TRAINING, device="cpu", seed=SEED, nprocs=1,
    checkpoint_seconds=0,
)
"""


def prepare(folder: Path) -> PreparedDataset:
    cases = folder / "cases"
    made = write_cases(cases, 8, 3, shape=(24, 28, 24)) if not cases.exists() else None
    if made is None:  # the same files, or the dataset would be another one
        from synthtumour_bids.segmentation.cases import Case

        images = sorted(p for p in cases.glob("*.nii.gz") if "label" not in p.name)
        made = [
            Case(n := p.name[:-7], p, cases / f"{n}_label.nii.gz", validation=i >= 8)
            for i, p in enumerate(images)
        ]
    return build_dataset(
        made, folder / "work", dataset_id=502, name="tiny", training=TRAINING, n_processes=1
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    return prepare(tmp_path_factory.mktemp("tiny"))


def run(prepared: PreparedDataset, model: Path, **changes: object) -> SelectionCurve:
    options = {"training": TRAINING, "device": "cpu", "seed": SEED, "nprocs": 1} | changes
    return train(prepared, model, **options)


@pytest.fixture(scope="module")
def trained(
    prepared: PreparedDataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, SelectionCurve, list[tuple]]:
    calls: list[tuple] = []
    model = tmp_path_factory.mktemp("model")
    return model, run(prepared, model, progress=lambda *now: calls.append(now)), calls


def test_the_earliest_of_the_best_epochs_is_chosen_or_the_newest() -> None:
    curve = SelectionCurve().extended(0.5, 0.4, 0.3).extended(0.1, 0.8, 0.2).extended(0, 0.8, 0.2)
    assert (curve.best_epoch, curve.best_dice) == (2, 0.8)
    newest = curve.extended(0, 0.1, 0.2, newest=True)
    assert (newest.best_epoch, newest.best_dice) == (4, 0.1)


def test_training_learns_and_leaves_a_model(
    prepared: PreparedDataset, trained: tuple[Path, SelectionCurve, list[tuple]]
) -> None:
    model, curve, calls = trained
    assert curve.epochs == (1, 2, 3, 4, 5)
    assert curve.train_loss[-1] < curve.train_loss[0]
    assert curve.shifted_loss[-1] < curve.shifted_loss[0]
    assert curve.best_dice == max(curve.shifted_dice) > 0.5
    assert curve.shifted_dice[curve.best_epoch - 1] == curve.best_dice
    assert curve.seconds > 0
    assert not curve.stopped_early
    assert [c[0] for c in calls] == [1, 2, 3, 4, 5]
    assert calls[0][1] == 5
    assert calls[0][4] > 0 == calls[-1][4]
    assert [c[3] for c in calls] == list(curve.shifted_dice)

    assert read_curve(model) == curve
    with Image.open(model / "selection_curve.png") as picture:
        assert set(picture.info) <= {"Software", "dpi"}, "it tells of nobody and no place"
    files = sorted(p.name for p in model.rglob("*") if p.is_file())
    assert files == [
        "checkpoint_best.pth",
        "dataset.json",
        "plans.json",
        "recipe.txt",
        "selection_curve.json",
        "selection_curve.png",
    ]
    # A model can be shared: nothing in it says where it was trained.
    assert "dataset" not in json.loads((model / "dataset.json").read_text())
    assert str(prepared.folder) not in (model / "plans.json").read_text()


def test_plain_nnunet_loads_the_model(trained: tuple[Path, SelectionCurve, list[tuple]]) -> None:
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(
        str(trained[0]), use_folds=(0,), checkpoint_name="checkpoint_best.pth"
    )
    assert predictor.allowed_mirroring_axes == (2,)  # left-right in (Z, Y, X)
    assert isinstance(predictor.network, nn.Module)


def test_a_finished_training_is_not_repeated(
    prepared: PreparedDataset, trained: tuple[Path, SelectionCurve, list[tuple]]
) -> None:
    model, curve, _ = trained
    checkpoint = model / "fold_0" / "checkpoint_best.pth"
    made = checkpoint.stat().st_mtime_ns
    assert run(prepared, model) == curve
    assert checkpoint.stat().st_mtime_ns == made


def test_kill_and_resume_ends_where_it_would_have(
    tmp_path: Path, trained: tuple[Path, SelectionCurve, list[tuple]]
) -> None:
    prepare(tmp_path)
    latest = tmp_path / "model" / "fold_0" / "checkpoint_latest.pth"
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", IN_ANOTHER_PROCESS, str(tmp_path)],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
    )
    try:
        deadline = time.monotonic() + 120
        while not latest.is_file() or not finished_epochs(latest):
            assert process.poll() is None, "training ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL
    assert 0 < finished_epochs(latest) < TRAINING.epochs
    calls: list[int] = []
    curve = run(prepare(tmp_path), tmp_path / "model", progress=lambda *now: calls.append(now[0]))
    assert calls[0] > 1
    assert calls[-1] == TRAINING.epochs
    np.testing.assert_allclose(curve.train_loss, trained[1].train_loss, rtol=1e-3)
    np.testing.assert_allclose(curve.shifted_dice, trained[1].shifted_dice, atol=1e-2)
    assert not latest.exists()


def finished_epochs(latest: Path) -> int:
    saved = torch.load(latest, weights_only=True)
    return len(SelectionCurve.from_json(saved["curve"]).epochs)


def test_sigterm_saves_and_stops(
    prepared: PreparedDataset,
    trained: tuple[Path, SelectionCurve, list[tuple]],
    tmp_path: Path,
) -> None:
    def ask(epoch: int, *_: float) -> None:
        if epoch == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGUSR1)
    # With a worker process, which gets no share of the signal.
    with pytest.raises(StoppedError, match="epoch 3 of 5"):
        run(prepared, tmp_path, progress=ask, nprocs=2)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGUSR1)) == before
    latest = tmp_path / "fold_0" / "checkpoint_latest.pth"
    assert finished_epochs(latest) == 2
    assert len(torch.load(latest, weights_only=True)["losses"]) == 1
    curve = run(prepared, tmp_path)
    np.testing.assert_allclose(curve.train_loss, trained[1].train_loss, rtol=1e-3)


def test_a_process_that_is_stuck_ends_training(
    prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synthtumour_bids.segmentation.trainer.SECONDS_TO_A_BATCH", 2.0)
    monkeypatch.setattr(Batches, "_sample", lambda *_: time.sleep(600))
    with pytest.raises(UnavailableError, match="died or got stuck"):
        run(prepared, tmp_path, nprocs=2)
    assert multiprocessing.active_children() == []


def test_patience_ends_training_early(prepared: PreparedDataset, tmp_path: Path) -> None:
    # Nothing is learned at this rate, so the score stays where it is.
    training = replace(
        TRAINING, learning_rate=1e-9, epochs=9, iterations_per_epoch=2, patience=2, min_epochs=4,
        optimiser="sgd",
    )  # fmt: skip
    curve = run(prepared, tmp_path, training=training)
    assert curve.stopped_early
    assert curve.epochs[-1] == max(4, curve.best_epoch + 2) < 9


def test_a_loss_that_is_no_number_ends_training(prepared: PreparedDataset, tmp_path: Path) -> None:
    training = replace(TRAINING, learning_rate=1e30, epochs=1, optimiser="sgd")
    with pytest.raises(SynthTumourError, match=r"diverged in epoch 1.*--seed"):
        run(prepared, tmp_path, training=training)
    assert not (tmp_path / "fold_0" / "checkpoint_best.pth").exists()


def test_starting_from_a_trained_network(
    prepared: PreparedDataset,
    trained: tuple[Path, SelectionCurve, list[tuple]],
    tmp_path: Path,
) -> None:
    model, curve, _ = trained
    short = replace(TRAINING, epochs=1, iterations_per_epoch=1, learning_rate=1e-9)
    again = run(prepared, tmp_path / "again", training=short, initial_weights=model)
    assert again.shifted_dice[0] == pytest.approx(curve.best_dice, abs=1e-3)
    with pytest.raises(UnavailableError, match="No trained network to start from"):
        run(prepared, tmp_path / "none", initial_weights=tmp_path / "nothing")


def test_other_settings_start_anew(prepared: PreparedDataset, tmp_path: Path) -> None:
    short = replace(TRAINING, epochs=1, iterations_per_epoch=1)
    first = run(prepared, tmp_path, training=short)
    second = run(prepared, tmp_path, training=replace(short, epochs=2), seed=SEED + 1)
    assert (first.epochs, second.epochs) == ((1,), (1, 2))


def test_random_numbers_of_the_caller_stay(prepared: PreparedDataset, tmp_path: Path) -> None:
    def state() -> tuple[str, bytes, object]:
        return (
            str(np.random.get_state()),  # noqa: NPY002
            torch.get_rng_state().numpy().tobytes(),
            random.getstate(),
        )

    before = state()
    run(prepared, tmp_path, training=replace(TRAINING, epochs=1, iterations_per_epoch=1))
    assert state() == before


def test_the_faster_network_is_the_same_network() -> None:
    def block(a: int, b: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv3d(a, b, 3, padding=1),
            nn.InstanceNorm3d(b, affine=True),
            nn.LeakyReLU(inplace=True),
        )

    torch.manual_seed(0)
    network = nn.Sequential(block(1, 4), block(4, 8), nn.Conv3d(8, 2, 1))
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.5)
    names = list(network.state_dict())
    image = torch.randn(2, 1, 8, 12, 10)
    expected = network(image)
    faster_on_cpu(network)
    assert list(network.state_dict()) == names
    torch.testing.assert_close(network(image), expected, rtol=1e-4, atol=1e-4)
