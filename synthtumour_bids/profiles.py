"""Profiles: how much accuracy a run wants, and how much time it gets, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Optimiser = Literal["sgd", "adamw"]


@dataclass(frozen=True)
class Training:
    """How one network is trained.

    Attributes
    ----------
    epochs, iterations_per_epoch
        Length of the learning-rate schedule.
    patience
        Epochs without a better shifted-validation score before training stops early.
    min_epochs
        Training never stops early before this many epochs.
    batch_size, patch_size, features
        Size of the network and its input (voxels, per resolution stage); ``None`` keeps what
        nnU-Net plans from the data.
    optimiser
        ``"sgd"`` (nnU-Net's default, Nesterov momentum .99) or ``"adamw"`` (short schedules).
    learning_rate
        Initial learning rate.
    from_junior
        Start the senior from the weights of the network whose pseudo-labels it learns from,
        instead of random ones.
    """

    epochs: int
    iterations_per_epoch: int
    patience: int
    min_epochs: int
    batch_size: int | None = None
    patch_size: tuple[int, int, int] | None = None
    features: tuple[int, ...] | None = None
    optimiser: Optimiser = "sgd"
    learning_rate: float = 1e-2
    from_junior: bool = False


@dataclass(frozen=True)
class Profile:
    """A trade of accuracy for time: resolution, amounts of synthetic data, network sizes.

    Attributes
    ----------
    resolution
        Edge of the template grid's voxels, mm.
    n_train, n_shifted
        Stage-1 samples to train on and to validate on.
    n_mixed
        Stage-2 mixes.
    n_controls
        Simulated heads without a tumour that calibrate the verdict where too few people could.
    coarse_registration
        Register with few iterations on coarse levels: for tests, not for real work.
    """

    name: str
    resolution: float
    junior: Training
    senior: Training
    n_train: int
    n_shifted: int
    n_mixed: int
    n_controls: int
    coarse_registration: bool = False


PROFILES: dict[str, Profile] = {
    "full": Profile(
        name="full",
        resolution=1.0,
        junior=Training(epochs=100, iterations_per_epoch=100, patience=25, min_epochs=10),
        senior=Training(epochs=150, iterations_per_epoch=100, patience=40, min_epochs=20),
        n_train=250,
        n_shifted=60,
        n_mixed=250,
        n_controls=39,
    ),
    "fast": Profile(
        name="fast",
        resolution=2.0,
        junior=Training(
            epochs=30,
            iterations_per_epoch=30,
            patience=15,
            min_epochs=8,
            batch_size=2,
            patch_size=(64, 80, 64),
            features=(8, 24, 48, 96, 128),
            optimiser="adamw",
            learning_rate=2e-3,
        ),
        senior=Training(
            epochs=24,
            iterations_per_epoch=30,
            patience=15,
            min_epochs=8,
            batch_size=2,
            patch_size=(64, 80, 64),
            features=(8, 24, 48, 96, 128),
            optimiser="adamw",
            learning_rate=1e-3,
            from_junior=True,
        ),
        n_train=200,
        n_shifted=32,
        n_mixed=200,
        n_controls=39,
    ),
    "sloppy": Profile(
        name="sloppy",
        resolution=4.0,
        junior=Training(
            epochs=12,
            iterations_per_epoch=20,
            patience=12,
            min_epochs=2,
            batch_size=2,
            patch_size=(40, 48, 40),
            features=(8, 16, 32),
            optimiser="adamw",
            learning_rate=5e-3,
        ),
        senior=Training(
            epochs=10,
            iterations_per_epoch=20,
            patience=10,
            min_epochs=2,
            batch_size=2,
            patch_size=(40, 48, 40),
            features=(8, 16, 32),
            optimiser="adamw",
            learning_rate=2e-3,
            from_junior=True,
        ),
        n_train=24,
        n_shifted=8,
        n_mixed=24,
        n_controls=0,
        coarse_registration=True,
    ),
}
