"""How a starter is made, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace

from synthtumour_bids.errors import UsageError
from synthtumour_bids.profiles import PROFILES, Training

RESOLUTION = 2.0  # mm
CALIBRATION = "calibration"  # what names the heads that neither teach nor validate
EPOCH = 100  # steps
STEPS = 4000
# Network and patch of profile fast.
TRAINING = replace(
    PROFILES["fast"].junior,
    epochs=STEPS // EPOCH,
    iterations_per_epoch=EPOCH,
    patience=STEPS // EPOCH,
    min_epochs=STEPS // EPOCH,
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
    n_heads, n_validation_heads, n_calibration
        Simulated heads to train and to validate with, and to calibrate the verdict with.
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
    n_calibration: int = 79
    n_planning: int = 8
    n_validation: int = 36
    n_negative: int = 12
    negatives: float = 0.25
    training: Training = TRAINING

    @property
    def steps(self) -> int:
        """Optimisation steps."""
        return self.training.epochs * self.training.iterations_per_epoch

    def training_of(self, steps: int) -> Training:
        """Give the schedule another length.

        Raises
        ------
        UsageError
            When it is no number of whole epochs.
        """
        epochs, rest = divmod(steps, self.training.iterations_per_epoch)
        if epochs < 1 or rest:
            raise UsageError(
                f"--steps {steps} is not a multiple of {self.training.iterations_per_epoch}, the "
                "steps between two looks at the validation samples."
            )
        return replace(self.training, epochs=epochs, patience=epochs, min_epochs=epochs)
