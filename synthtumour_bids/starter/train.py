"""Train a starter, from simulation to weights."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from synthtumour_bids.errors import UsageError
from synthtumour_bids.segmentation.checkpoints import finished_recipe
from synthtumour_bids.segmentation.curve import read_curve
from synthtumour_bids.segmentation.dataset import build_dataset
from synthtumour_bids.segmentation.training import train
from synthtumour_bids.starter.heads import heads_folder, load_tissues, render_heads
from synthtumour_bids.starter.recipe import RESOLUTION, StarterRecipe
from synthtumour_bids.starter.samples import DrawFromHeads, stored_cases
from synthtumour_bids.starter.stamp import claim
from synthtumour_bids.synthesis.priors import load_priors


@dataclass(frozen=True)
class Trained:
    """A trained starter: its folder, and the hash of what its samples depended on."""

    folder: Path
    draw_fingerprint: str


LOGGER = logging.getLogger("synthtumour_bids")
DATASET_ID = 801


def train_starter(recipe: StarterRecipe, folder: Path, *, device: str, nprocs: int) -> Trained:
    """Train a starter, or go on where an earlier call stopped.

    Parameters
    ----------
    recipe
        What to train.
    folder
        Gets ``recipe.json``, ``heads-<version of the simulation>``, ``cases``, ``nnunet`` and
        ``model``.
    device
        See :func:`.environment.resolve_device`.
    nprocs
        Processor cores to use.

    Returns
    -------
    Trained

    Raises
    ------
    StoppedError
        SIGTERM came; the state is saved.
    UsageError
        The folder is another starter's, or has one that was trained for longer or shorter.
    """
    model = folder / "model"
    tissues = load_tissues(RESOLUTION)
    claim(recipe, folder, tissues)
    _check_length(recipe, model)
    heads, validation_heads = (
        render_heads(
            heads_folder(folder),
            count,
            seed=recipe.seed,
            purpose=purpose,
            resolution=RESOLUTION,
            contrast=recipe.contrast,
            nprocs=nprocs,
        )
        for purpose, count in (
            ("train", recipe.n_heads),
            ("validation", recipe.n_validation_heads),
        )
    )
    cases = stored_cases(recipe, heads, validation_heads, tissues, folder / "cases")
    prepared = build_dataset(
        cases,
        folder / "nnunet",
        dataset_id=DATASET_ID,
        name="starter",
        training=recipe.training,
        n_processes=nprocs,
    )
    priors = load_priors(recipe.lesion, recipe.contrast)
    draw = DrawFromHeads(tuple(heads), tissues, priors, recipe.negatives)
    train(
        prepared,
        model,
        training=recipe.training,
        device=device,
        seed=recipe.seed,
        nprocs=nprocs,
        progress=_tell,
        draw=draw,
    )
    return Trained(model, draw.fingerprint)


def _check_length(recipe: StarterRecipe, model: Path) -> None:
    """Refuse to train a finished network anew because its schedule had another length."""
    if finished_recipe(model) is None:
        return
    steps = len(read_curve(model).epochs) * recipe.training.iterations_per_epoch
    if steps != recipe.steps:
        raise UsageError(
            f"{model} is finished, after {steps} steps; this command asks for {recipe.steps}. "
            f"Give --steps {steps}, or name another folder: nothing of this one would be left."
        )


def _tell(epoch: int, epochs: int, loss: float, dice: float, left: float) -> None:
    LOGGER.info(
        "epoch %d of %d: loss %.3f, shifted Dice %.3f, %.0f min left",
        epoch, epochs, loss, dice, left / 60,
    )  # fmt: skip
