"""A small network that has learned to find the blobs of `blob_cases`."""

from __future__ import annotations

import shutil
from pathlib import Path

from synthtumour_bids.profiles import Training
from synthtumour_bids.segmentation.dataset import build_dataset
from synthtumour_bids.segmentation.training import train
from tests.builders.blob_cases import write_cases

SHAPE = (24, 32, 26)
VOXEL = 4.0
TRAINING = Training(
    epochs=4,
    iterations_per_epoch=25,
    patience=4,
    min_epochs=1,
    batch_size=2,
    patch_size=(16, 24, 20),
    features=(8, 16, 16),
    optimiser="adamw",
    learning_rate=1e-2,
)


def train_on_blobs(folder: Path) -> Path:
    """Train it; its folder is returned."""
    cases = write_cases(folder / "cases", 10, 2, shape=SHAPE, voxel=VOXEL)
    prepared = build_dataset(
        cases, folder / "work", dataset_id=503, name="pred", training=TRAINING, n_processes=1
    )
    train(prepared, folder / "model", training=TRAINING, device="cpu", seed=1, nprocs=1)
    shutil.rmtree(folder / "work")  # prediction needs the model alone
    return folder / "model"
