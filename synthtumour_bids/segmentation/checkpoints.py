"""What a training leaves on disk: the state to go on from, and the finished model."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.files import replacing, write_text
from synthtumour_bids.segmentation.curve import SelectionCurve, write_curve
from synthtumour_bids.segmentation.dataset import PreparedDataset
from synthtumour_bids.segmentation.plans import CONFIGURATION
from synthtumour_bids.segmentation.trainer import SynthTumourTrainer
from synthtumour_bids.tensors import load_tensors

LOGGER = logging.getLogger(__name__)

BEST = "checkpoint_best.pth"
LATEST = "checkpoint_latest.pth"


@dataclass
class State:
    """Where a training stands, between two steps."""

    curve: SelectionCurve = field(default_factory=SelectionCurve)
    losses: list[float] = field(default_factory=list)  # of the epoch under way
    best: list[torch.Tensor] = field(default_factory=list)  # averaged weights of the best epoch

    @property
    def epoch(self) -> int:
        """Epochs that are finished."""
        return len(self.curve.epochs)


class Checkpoints:
    """Saves everything a training needs to go on, in types that torch loads without unpickling.

    All ranks hold the same; the first one saves.
    """

    def __init__(
        self,
        trainer: SynthTumourTrainer,
        state: State,
        path: Path,
        recipe: str,
        seconds_between: float,
    ) -> None:
        self.trainer, self.state, self.path, self.recipe = trainer, state, path, recipe
        self.seconds_between = seconds_between
        self.saved = time.monotonic()

    def save_if_due(self) -> None:
        """Save if the last time is long enough ago."""
        if time.monotonic() - self.saved > self.seconds_between:
            self.save()

    def save(self) -> None:
        """Save now."""
        trainer, state = self.trainer, self.state
        if trainer.ranks.rank > 0:
            return
        now = time.monotonic()
        state.curve = replace(state.curve, seconds=state.curve.seconds + now - self.saved)
        self.saved = now
        content = {
            "recipe": self.recipe,
            "curve": state.curve.to_json(),
            "losses": list(state.losses),
            "best": state.best,
            "network": [p.detach() for p in trainer.network.parameters()],
            "average": trainer.average,
            "optimizer": trainer.optimizer.state_dict(),
        }
        scaler: torch.amp.GradScaler | None = trainer.grad_scaler
        if scaler is not None:
            content["grad_scaler"] = scaler.state_dict()
        _save(content, self.path)


def resume(trainer: SynthTumourTrainer, latest: Path, recipe: str) -> State | None:
    """Bring trainer and state to where `latest` was saved; ``None`` if there is nothing to use."""
    if not latest.is_file():
        return None
    try:
        saved = load_tensors(latest, trainer.device)
    except ValueError as error:
        LOGGER.warning("%s (%s): training starts anew", latest, error)
        return None
    if saved.get("recipe") != recipe:
        LOGGER.warning("%s is of other data or settings: training starts anew", latest)
        return None
    trainer.load_weights(saved["network"])
    trainer.average = saved["average"]
    trainer.optimizer.load_state_dict(saved["optimizer"])
    scaler: torch.amp.GradScaler | None = trainer.grad_scaler
    if scaler is not None and "grad_scaler" in saved:
        scaler.load_state_dict(saved["grad_scaler"])
    curve = SelectionCurve.from_json(saved["curve"])
    LOGGER.info("going on after %d finished epochs", len(curve.epochs))
    return State(curve, list(saved["losses"]), [w.cpu() for w in saved["best"]])


def write_model(
    trainer: SynthTumourTrainer,
    state: State,
    prepared: PreparedDataset,
    model_dir: Path,
    recipe: str,
) -> None:
    """Write the model, its checkpoint last."""
    trainer.load_weights(state.best)
    network = trainer.bare_network
    description = prepared.dataset_json()
    del description["dataset"]  # the paths of the cases are nobody's business later
    texts = {
        "plans.json": json.dumps(prepared.plans(), indent=2),
        "dataset.json": json.dumps(description, indent=2),
        "recipe.txt": recipe,
    }
    for name, text in texts.items():
        write_text(model_dir / name, text)
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


def start_from(trainer: SynthTumourTrainer, source: Path) -> None:
    """Take initial weights from a model folder or a checkpoint of a finished training."""
    path = _weights_file(source)
    try:
        weights = load_tensors(path, trainer.device)["network_weights"]
    except (ValueError, LookupError) as error:
        raise UnavailableError(f"The network in {path} cannot be used ({error}).") from error
    network = trainer.bare_network
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise UnavailableError(
            f"The network in {path} has another architecture than the one to train. Train both "
            "with the same --profile."
        ) from error
    trainer.average = [p.detach().clone() for p in trainer.network.parameters()]


def weights_digest(source: Path) -> str:
    """SHA-256 of the weights that a training starts from, wherever they lie."""
    with _weights_file(source).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _weights_file(source: Path) -> Path:
    path = source / "fold_0" / BEST if source.is_dir() else source
    if not path.is_file():
        raise UnavailableError(f"No trained network to start from was found at {path}.")
    return path


def finished_recipe(model_dir: Path) -> str | None:
    """Recipe of the model in a folder; ``None`` if no training has finished there."""
    path = model_dir / "recipe.txt"
    finished = path.is_file() and (model_dir / "fold_0" / BEST).is_file()
    return path.read_text("utf-8") if finished else None


def _save(content: dict[str, Any], path: Path) -> None:
    # Through an open file: given a path, torch writes the temporary name into what it saves.
    with replacing(path) as partial, partial.open("wb") as file:
        torch.save(content, file)
