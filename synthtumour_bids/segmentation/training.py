"""Train one network and keep the epoch that does best on the shifted set."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from synthtumour_bids.errors import StoppedError, SynthTumourError, UnavailableError
from synthtumour_bids.execution.child import kill_children
from synthtumour_bids.execution.stopping import stop_signal
from synthtumour_bids.profiles import Training
from synthtumour_bids.segmentation.checkpoints import (
    BEST,
    LATEST,
    Checkpoints,
    State,
    finished_recipe,
    resume,
    write_model,
)
from synthtumour_bids.segmentation.curve import SelectionCurve, read_curve
from synthtumour_bids.segmentation.dataset import PreparedDataset
from synthtumour_bids.segmentation.distributed import Progress, Stop, check_batch, launch
from synthtumour_bids.segmentation.drawn_cases import Draw
from synthtumour_bids.segmentation.environment import (
    loader_workers,
    nnunet_environment,
    torch_threads,
    training_devices,
)
from synthtumour_bids.segmentation.initial_weights import start_from, weights_digest
from synthtumour_bids.segmentation.plans import CONFIGURATION
from synthtumour_bids.segmentation.ranks import Ranks
from synthtumour_bids.segmentation.trainer import SynthTumourTrainer

LOGGER = logging.getLogger(__name__)

SECONDS_BETWEEN_CHECKPOINTS = 60.0


@dataclass(frozen=True)
class _Task:
    """What every process of one training is told; for the meaning of the fields see `train`."""

    prepared: PreparedDataset
    model_dir: Path
    training: Training
    seed: int
    nprocs: int  # of each
    initial_weights: Path | None
    draw: Draw | None
    checkpoint_seconds: float
    recipe: str


def train(
    prepared: PreparedDataset,
    model_dir: Path,
    *,
    training: Training,
    device: str,
    seed: int,
    nprocs: int,
    num_gpus: int = 1,
    progress: Progress | None = None,
    initial_weights: Path | None = None,
    draw: Draw | None = None,
    checkpoint_seconds: float = SECONDS_BETWEEN_CHECKPOINTS,
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
        See `environment.training_devices`.
    seed
        Of initial weights, batches and augmentation. On a CPU the same seed gives the same
        network; GPUs sum in varying order.
    nprocs
        Processor cores to use.
    num_gpus
        Devices that share each batch out evenly. The data are the same for any number, the
        network is the same but for rounding, and a training may go on with another number.
    progress
        Called after each epoch with the epoch (from 1), the planned number of epochs, the
        training loss, the Dice on the shifted set and the seconds left if it does not stop early.
    initial_weights
        Model folder or checkpoint to start from instead of random weights.
    draw
        Draws samples to train with while training; the stored cases then only show how it goes,
        and tell nnU-Net what to plan for. The last weights are kept: samples that come once cannot
        be learned by heart, so that no earlier epoch is better.
    checkpoint_seconds
        Time between two checkpoints, s; at most about so much work is lost to a crash.

    Raises
    ------
    StoppedError
        SIGTERM, SIGUSR1 or Ctrl-C came; the state is saved.
    UnavailableError
        The devices or the initial weights are not there or do not fit, or one of several
        processes died.
    UsageError
        The devices cannot share a batch out evenly.
    """
    devices = training_devices(device, num_gpus)
    check_batch(prepared.plans()["configurations"][CONFIGURATION]["batch_size"], num_gpus)
    fold = model_dir / "fold_0"
    recipe = _recipe(prepared, training, seed, initial_weights, draw)
    if finished_recipe(model_dir) == recipe:
        return read_curve(model_dir)
    fold.mkdir(parents=True, exist_ok=True)
    (fold / BEST).unlink(missing_ok=True)  # of another recipe
    task = _Task(
        prepared=prepared,
        model_dir=model_dir,
        training=training,
        seed=seed,
        nprocs=max(1, nprocs // num_gpus),
        initial_weights=initial_weights,
        draw=draw,
        checkpoint_seconds=checkpoint_seconds,
        recipe=recipe,
    )
    with stop_signal() as stop:
        if num_gpus == 1:
            _train(task, Ranks(devices[0]), stop, progress)
        else:
            launch(_train, task, devices, stop=stop, progress=progress)
    if stop.is_set():
        raise StoppedError("Stopped; the training was just finished.")
    return read_curve(model_dir)


def _train(task: _Task, ranks: Ranks, stop: Stop, progress: Progress | None) -> None:
    """Do what one of the processes of a training has to do."""
    prepared, latest = task.prepared, task.model_dir / "fold_0" / LATEST
    with torch_threads(task.nprocs), _own_random_numbers(task.seed):
        with nnunet_environment(prepared.folder, n_processes=task.nprocs):
            trainer = SynthTumourTrainer(
                prepared.plans(), CONFIGURATION, 0, prepared.dataset_json(), ranks.device
            )
            trainer.set_up(task.training, ranks)
            if task.initial_weights is not None:
                start_from(trainer, task.initial_weights)
            trainer.open_data(task.draw)
        state = resume(trainer, latest, task.recipe) or State()
        checkpoints = Checkpoints(trainer, state, latest, task.recipe, task.checkpoint_seconds)
        try:
            with _no_process_left():
                _run(trainer, state, checkpoints, task, stop, progress)
        except torch.OutOfMemoryError as error:
            raise UnavailableError(
                f"The memory of {ranks.device} is too small to train with patches of "
                f"{trainer.configuration_manager.patch_size} voxels. Use --profile fast, or "
                "another --device."
            ) from error
        except RuntimeError as error:
            if "DataLoader" not in str(error):
                raise
            raise UnavailableError(
                f"A process that prepares training batches died or got stuck ({error}), most "
                "likely for memory. Run the same command again, with --nprocs 1 to do without such "
                "processes."
            ) from error
    if ranks.rank == 0:
        write_model(trainer, state, prepared, task.model_dir, task.recipe)
        latest.unlink(missing_ok=True)


@contextlib.contextmanager
def _no_process_left() -> Iterator[None]:
    """After an error: what prepares batches takes no SIGTERM, and may be stuck."""
    try:
        yield
    except BaseException:
        kill_children()
        raise


def _run(
    trainer: SynthTumourTrainer,
    state: State,
    checkpoints: Checkpoints,
    task: _Task,
    stop: Stop,
    progress: Progress | None,
) -> None:
    training = trainer.training
    patch = int(np.prod(trainer.configuration_manager.patch_size))
    n_workers = loader_workers(task.nprocs, trainer.device, 8 * patch * trainer.batch_size)
    began, first_epoch = time.monotonic(), state.epoch
    while not _is_over(state.curve, training):
        first = len(state.losses)
        for batch in trainer.batches(task.seed, state.epoch, first, n_workers):
            step = state.epoch * training.iterations_per_epoch + len(state.losses)
            state.losses.append(trainer.step(batch, step))
            if not np.isfinite(state.losses[-1]):
                raise SynthTumourError(
                    f"Training diverged in epoch {state.epoch + 1}: the loss is not a number any "
                    "more. Run again with another --seed; please report it if that does not help."
                )
            if trainer.ranks.any(stop.is_set()):
                checkpoints.save()
                raise StoppedError(
                    f"Stopped in epoch {state.epoch + 1} of {training.epochs} of training; the "
                    "state is saved. Run the same command again to continue."
                )
            checkpoints.save_if_due()
        score = trainer.score()
        loss = float(np.mean(state.losses))
        newest = task.draw is not None
        state.curve = state.curve.extended(loss, score.dice, score.loss, newest=newest)
        state.losses = []
        if state.curve.best_epoch == state.epoch:
            state.best = [w.detach().to("cpu", copy=True) for w in trainer.average]
        over = _is_over(state.curve, training)
        early = over and state.epoch < training.epochs
        state.curve = replace(state.curve, stopped_early=early)
        if over:
            checkpoints.save()
        else:
            checkpoints.save_if_due()
        each = (time.monotonic() - began) / (state.epoch - first_epoch)
        LOGGER.debug(
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


def _recipe(
    prepared: PreparedDataset,
    training: Training,
    seed: int,
    initial_weights: Path | None,
    draw: Draw | None,
) -> str:
    start = weights_digest(initial_weights) if initial_weights is not None else None
    parts = [prepared.recipe, asdict(training), seed, start]
    if draw is not None:
        parts.append(draw.fingerprint)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


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
