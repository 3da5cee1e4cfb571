"""How a starter is made, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace

from synthtumour_bids.profiles import PROFILES, Training

RESOLUTION = 2.0  # mm


TRAINING = replace(  # network and patch of profile fast
    PROFILES["fast"].junior,
    epochs=80,
    iterations_per_epoch=100,
    patience=80,
    min_epochs=80,
)


@dataclass(frozen=True)
class StarterRecipe:
    """What a starter learns, and for how long.

    Attributes
    ----------
    lesion, contrast
        What it looks for, and in what.
    seed
        Of heads, tumours and training.
    n_heads, n_validation_heads
        Simulated heads to train and to validate with.
    n_planning, n_validation, n_negative
        Stored samples: nnU-Net plans from the first; tumours and tumour-free heads validate.
    negatives
        Share of the training samples that stay tumour-free.
    training
        Network and schedule.
    """

    lesion: str = "glioma"
    contrast: str = "FLAIR"
    seed: int = 527
    n_heads: int = 300
    n_validation_heads: int = 48
    n_planning: int = 8
    n_validation: int = 36
    n_negative: int = 12
    negatives: float = 0.25
    training: Training = TRAINING
