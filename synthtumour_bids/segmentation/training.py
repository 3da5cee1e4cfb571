"""Train one network and keep the epoch that does best on the shifted set."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch

from synthtumour_bids.errors import StoppedError, SynthTumourError, UnavailableError
from synthtumour_bids.segmentation.curve import SelectionCurve, read_curve, write_curve
from synthtumour_bids.segmentation.dataset import PreparedDataset
from synthtumour_bids.segmentation.environment import (
    loader_workers,
    nnunet_environment,
    resolve_device,
    torch_threads,
)
from synthtumour_bids.segmentation.plans import CONFIGURATION
from synthtumour_bids.segmentation.trainer import SynthTumourTrainer
from synthtumour_bids.settings import Training

LOG = logging.getLogger(__name__)

BEST = "checkpoint_best.pth"
LATEST = "checkpoint_latest.pth"
SECONDS_BETWEEN_CHECKPOINTS = 120.0

Progress = Callable[[int, int, float, float, float], None]


@dataclass
class _State:
    """Where a training stands, between two steps."""

    curve: SelectionCurve = field(default_factory=SelectionCurve)
    losses: list[float] = field(default_factory=list)  # of the epoch under way
    best: list[torch.Tensor] = field(default_factory=list)  # averaged weights of the best epoch

    @property
    def epoch(self) -> int:
        """Epochs that are finished."""
        return len(self.curve.epochs)


def train(
    prepared: PreparedDataset,
    model_dir: Path,
    *,
    training: Training,
    device: str,
    seed: int,
    nprocs: int,
    progress: Progress | None = None,
    initial_weights: Path | None = None,
) -> SelectionCurve:
    """Train a network, or go on where an earlier call stopped; do nothing where it is finished.

    Afterwards `model_dir` holds ``plans.json``, ``dataset.json`` and ``fold_0/checkpoint_best.pth``
    as nnU-Net wants them for prediction, and ``selection_curve.json`` and ``.png``. The checkpoint
    is written last: where it is, the training is finished. Until then
    ``fold_0/checkpoint_latest.pth`` holds everything that is needed to go on.

    Parameters
    ----------
    prepared
        What `dataset.build_dataset` made.
    model_dir
        Folder of this model alone.
    training
        Length, optimiser and patience.
    device
        See `environment.resolve_device`.
    seed
        Of initial weights, batches and augmentation. On a CPU the same seed gives the same
        network; GPUs sum in varying order.
    nprocs
        Processor cores to use.
    progress
        Called after each epoch with the epoch (from 1), the planned number of epochs, the
        training loss, the Dice on the shifted set and the seconds left if it does not stop early.
    initial_weights
        Model folder or checkpoint to start from instead of random weights.

    Raises
    ------
    StoppedError
        SIGTERM or SIGUSR1 came; the state is saved.
    UnavailableError
        The device or the initial weights are not there or do not fit.
    """
    on = resolve_device(device)
    fold = model_dir / "fold_0"
    recipe = _recipe(prepared, training, seed, initial_weights)
    if (fold / BEST).is_file() and _finished_recipe(model_dir) == recipe:
        return read_curve(model_dir)
    fold.mkdir(parents=True, exist_ok=True)
    (fold / BEST).unlink(missing_ok=True)  # of another recipe
    with (
        nnunet_environment(prepared.folder, n_processes=nprocs),
        torch_threads(nprocs),
        _own_random_numbers(seed),
    ):
        trainer = SynthTumourTrainer(
            prepared.plans(), CONFIGURATION, 0, prepared.dataset_json(), on
        )
        trainer.set_up(training)
        if initial_weights is not None:
            _start_from(trainer, initial_weights)
        trainer.open_data()
    state = _resume(trainer, fold / LATEST, recipe) or _State()
    try:
        with torch_threads(nprocs), _own_random_numbers(seed), _stop_signal() as stop:
            _run(trainer, state, fold / LATEST, recipe, seed, nprocs, stop, progress)
    except torch.OutOfMemoryError as error:
        raise UnavailableError(
            f"The memory of {on} is too small to train with patches of "
            f"{trainer.configuration_manager.patch_size} voxels. Use --profile fast, or another "
            "--device."
        ) from error
    _finish(trainer, state, prepared, model_dir, recipe)
    (fold / LATEST).unlink(missing_ok=True)
    return state.curve


def _run(
    trainer: SynthTumourTrainer,
    state: _State,
    latest: Path,
    recipe: str,
    seed: int,
    nprocs: int,
    stop: threading.Event,
    progress: Progress | None,
) -> None:
    training = trainer.training
    patch = int(np.prod(trainer.configuration_manager.patch_size))
    n_workers = loader_workers(nprocs, trainer.device, 8 * patch * trainer.batch_size)
    began, spent, first_epoch = time.monotonic(), state.curve.seconds, state.epoch
    saved = began

    def save() -> None:
        nonlocal saved
        saved = time.monotonic()
        state.curve = replace(state.curve, seconds=spent + saved - began)
        _save(_everything(trainer, state, recipe), latest)

    while not _is_over(state.curve, training):
        first = len(state.losses)
        for batch in trainer.batches(seed, state.epoch, first, n_workers):
            step = state.epoch * training.iterations_per_epoch + len(state.losses)
            state.losses.append(trainer.step(batch, step))
            if not np.isfinite(state.losses[-1]):
                raise SynthTumourError(
                    f"Training diverged in epoch {state.epoch + 1}: the loss is not a number any "
                    "more. Run again with another --seed; please report it if that does not help."
                )
            if stop.is_set():
                save()
                raise StoppedError(
                    f"Stopped in epoch {state.epoch + 1} of {training.epochs} of training; the "
                    "state is saved. Run the same command again to continue."
                )
            if time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                save()
        score = trainer.score()
        loss = float(np.mean(state.losses))
        state.curve = state.curve.extended(loss, score.dice, score.loss)
        state.losses = []
        if state.curve.best_epoch == state.epoch:
            state.best = [w.detach().to("cpu", copy=True) for w in trainer.average]
        over = _is_over(state.curve, training)
        early = over and state.epoch < training.epochs
        state.curve = replace(state.curve, stopped_early=early)
        save()
        each = (time.monotonic() - began) / (state.epoch - first_epoch)
        LOG.info(
            "epoch %d/%d: loss %.3f, shifted Dice %.3f (best %.3f in epoch %d), %.0f s",
            state.epoch, training.epochs, loss, score.dice, state.curve.best_dice,
            state.curve.best_epoch, each,
        )  # fmt: skip
        if progress is not None:
            left = 0.0 if over else each * (training.epochs - state.epoch)
            progress(state.epoch, training.epochs, loss, score.dice, left)


def _is_over(curve: SelectionCurve, training: Training) -> bool:
    done = len(curve.epochs)
    waited = done - curve.best_epoch
    return done >= training.epochs or (
        done >= max(1, training.min_epochs) and waited >= training.patience
    )


def _everything(trainer: SynthTumourTrainer, state: _State, recipe: str) -> dict[str, Any]:
    """Everything a training needs to go on, in types that torch loads without unpickling code."""
    scaler = trainer.grad_scaler
    return {
        "recipe": recipe,
        "curve": state.curve.to_json(),
        "losses": list(state.losses),
        "best": state.best,
        "network": [p.detach() for p in trainer.network.parameters()],
        "average": trainer.average,
        "optimizer": trainer.optimizer.state_dict(),
        "grad_scaler": None if scaler is None else scaler.state_dict(),
    }


def _resume(trainer: SynthTumourTrainer, latest: Path, recipe: str) -> _State | None:
    if not latest.is_file():
        return None
    saved = torch.load(latest, map_location=trainer.device, weights_only=True)
    if saved["recipe"] != recipe:
        LOG.warning("%s is of other data or settings: training starts anew", latest)
        return None
    trainer.load_weights(saved["network"])
    trainer.average = saved["average"]
    trainer.optimizer.load_state_dict(saved["optimizer"])
    if trainer.grad_scaler is not None and saved["grad_scaler"] is not None:
        trainer.grad_scaler.load_state_dict(saved["grad_scaler"])
    curve = SelectionCurve.from_json(saved["curve"])
    LOG.info("going on after %d finished epochs", len(curve.epochs))
    return _State(curve, list(saved["losses"]), [w.cpu() for w in saved["best"]])


def _finish(
    trainer: SynthTumourTrainer,
    state: _State,
    prepared: PreparedDataset,
    model_dir: Path,
    recipe: str,
) -> None:
    """Write the model, its checkpoint last."""
    trainer.load_weights(state.best)
    network = getattr(trainer.network, "_orig_mod", trainer.network)
    description = prepared.dataset_json()
    del description["dataset"]  # the paths of the cases are nobody's business later
    texts = {
        "plans.json": json.dumps(prepared.plans(), indent=2),
        "dataset.json": json.dumps(description, indent=2),
        "recipe.txt": recipe,
    }
    for name, text in texts.items():
        partial = model_dir / f".tmp-{os.getpid()}-{name}"
        partial.write_text(text, encoding="utf-8")
        partial.replace(model_dir / name)
    write_curve(state.curve, model_dir)
    checkpoint = {
        "network_weights": network.state_dict(),
        # The network is nnU-Net's own, so any nnU-Net can load it, without this package.
        "trainer_name": "nnUNetTrainer",
        "init_args": {"configuration": CONFIGURATION, "fold": 0},
        "inference_allowed_mirroring_axes": tuple(trainer.inference_allowed_mirroring_axes),
        "current_epoch": state.curve.best_epoch,
        "training": asdict(trainer.training),
    }
    _save(checkpoint, model_dir / "fold_0" / BEST)


def _start_from(trainer: SynthTumourTrainer, source: Path) -> None:
    path = source / "fold_0" / BEST if source.is_dir() else source
    if not path.is_file():
        raise UnavailableError(f"No trained network to start from was found at {path}.")
    weights = torch.load(path, map_location=trainer.device, weights_only=True)["network_weights"]
    network = getattr(trainer.network, "_orig_mod", trainer.network)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise UnavailableError(
            f"The network in {path} has another architecture than the one to train. Train both "
            "with the same --profile."
        ) from error
    trainer.average = [p.detach().clone() for p in trainer.network.parameters()]


def _recipe(
    prepared: PreparedDataset, training: Training, seed: int, initial_weights: Path | None
) -> str:
    parts = [prepared.recipe, asdict(training), seed, str(initial_weights)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _finished_recipe(model_dir: Path) -> str | None:
    path = model_dir / "recipe.txt"
    return path.read_text("utf-8") if path.is_file() else None


def _save(content: dict[str, Any], path: Path) -> None:
    partial = path.with_name(f".tmp-{os.getpid()}-{path.name}")
    torch.save(content, partial)
    partial.replace(path)


@contextlib.contextmanager
def _own_random_numbers(seed: int) -> Iterator[None]:
    """Seed the global generators that nnU-Net draws from, and give them back as they were."""
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)


@contextlib.contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGUSR1 set, so that training can save before it stops."""
    stop = threading.Event()
    before: dict[int, Any] = {}

    def ask(number: int, _: FrameType | None) -> None:
        LOG.warning("received %s: saving and stopping", signal.Signals(number).name)
        stop.set()

    if threading.current_thread() is threading.main_thread():  # signals are handled there only
        for name in ("SIGTERM", "SIGUSR1"):
            if hasattr(signal, name):
                number = getattr(signal, name)
                before[number] = signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
