"""Weights that a training starts from: those of a finished training, or of a bundle."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import torch

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.segmentation.bundle import read_files, read_plan
from synthtumour_bids.segmentation.checkpoints import BEST
from synthtumour_bids.segmentation.dataset import PreparedDataset
from synthtumour_bids.segmentation.model_card import WEIGHTS, is_bundle
from synthtumour_bids.segmentation.network_plan import NetworkPlan
from synthtumour_bids.segmentation.trained_network import read_bundle
from synthtumour_bids.segmentation.trainer import SynthTumourTrainer
from synthtumour_bids.tensors import load_tensors


def can_start_from(source: Path, prepared: PreparedDataset) -> bool:
    """Whether a training on a dataset can start from a network.

    It must be of the same architecture, whatever patches it was trained with. What was trained here
    has the grid of its profile; a bundle was trained elsewhere: it must be of the same grid, too.

    Parameters
    ----------
    source
        Model folder or bundle.
    prepared
        What is to be learned.

    Raises
    ------
    UnavailableError
        When the bundle cannot be used.
    """
    wanted = NetworkPlan.from_nnunet(prepared.plans(), prepared.dataset_json())
    if is_bundle(source):
        return replace(read_files(source).plan, patch_size=wanted.patch_size) == wanted
    plan = replace(read_plan(source), patch_size=wanted.patch_size, spacing=wanted.spacing)
    return plan == wanted


def start_from(trainer: SynthTumourTrainer, source: Path) -> None:
    """Take initial weights from a model folder, a bundle, or a checkpoint of a finished training.

    Raises
    ------
    UnavailableError
        When they are not there, cannot be read, or are of another architecture.
    """
    network = trainer.bare_network
    try:
        if is_bundle(source):
            weights = read_bundle(source).weights
            with torch.no_grad():
                for name, parameter in network.named_parameters():
                    parameter.copy_(weights[name])
        else:
            checkpoint = load_tensors(_weights_file(source), trainer.device)
            network.load_state_dict(checkpoint["network_weights"])
    except (ValueError, LookupError) as error:
        raise UnavailableError(f"The network in {source} cannot be used ({error}).") from error
    except RuntimeError as error:
        raise UnavailableError(
            f"The network in {source} has another architecture than the one to train. Train both "
            "with the same --profile."
        ) from error
    trainer.average = [p.detach().clone() for p in trainer.network.parameters()]


def weights_digest(source: Path) -> str:
    """SHA-256 of the weights that a training starts from, wherever they lie."""
    with _weights_file(source).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _weights_file(source: Path) -> Path:
    if is_bundle(source):
        return source / WEIGHTS
    path = source / "fold_0" / BEST if source.is_dir() else source
    if not path.is_file():
        raise UnavailableError(f"No trained network to start from was found at {path}.")
    return path
