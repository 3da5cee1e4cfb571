"""How TF-GAN is built and trained."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

MOST_LEVELS, MOST_CHANNELS = 8, 1024  # of networks that are read from a file


@dataclass(frozen=True)
class LossWeights:
    """Weights of the generator's losses, relative to the adversarial one."""

    segmentation: float = 1.0
    perceptual: float = 1.0
    identity: float = 1.0
    variation: float = 0.1


@dataclass(frozen=True)
class GanSettings:
    """Size and schedule of one training.

    Attributes
    ----------
    patch
        Voxels along each axis that networks see at once.
    batch, accumulate
        Patches in memory at once, and how many such batches make one step.
    generator, segmenter, discriminator
        Channels per level; each level after the first halves the resolution.
    warm_up
        Steps for which the segmentation network alone is trained; it is frozen afterwards.
    steps
        Adversarial steps after that, at most.
    evaluate_every, patience
        Steps between two evaluations, and evaluations without a better one before the training
        ends.
    generator_rate, discriminator_rate, segmenter_rate
        Learning rates of Adam.
    average
        Decay of the running average of the generator's weights.
    host_share
        Share of tumour-free host patches among the real ones.
    gate_mm
        How far beyond a lesion the generator may reach.
    bank_draws
        Patches per annotated scan from which the bank of real features is made.
    weights
        Of the generator's losses.
    half
        Compute in bfloat16 where the device can.
    workers
        Processes that prepare patches; 0 prepares them in the training process.
    seed
        Fixes weights and patches.
    """

    patch: tuple[int, int, int] = (128, 128, 128)
    batch: int = 1
    accumulate: int = 2
    generator: tuple[int, ...] = (24, 48, 96, 192)
    segmenter: tuple[int, ...] = (16, 32, 64, 128)
    discriminator: tuple[int, ...] = (32, 64, 128)
    warm_up: int = 4000
    steps: int = 40_000
    evaluate_every: int = 1000
    patience: int = 8
    generator_rate: float = 1e-4
    discriminator_rate: float = 2e-4
    segmenter_rate: float = 5e-4
    average: float = 0.999
    host_share: float = 0.25
    gate_mm: float = 6.0
    bank_draws: int = 8
    weights: LossWeights = field(default_factory=LossWeights)
    half: bool = True
    workers: int = 0
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> GanSettings:
        """Rebuild from what :meth:`to_json` gave, possibly through a file.

        Raises
        ------
        ValueError
            When a network would be larger than any that is trained.
        """
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
        }
        for name in ("generator", "segmenter", "discriminator"):
            if not 1 <= len(values[name]) <= MOST_LEVELS:
                raise ValueError(f"{name} has {len(values[name])} levels")
            for channels in values[name]:
                check_whole(name, channels, MOST_CHANNELS)
        return cls(**{**values, "weights": LossWeights(**data["weights"])})


def check_whole(name: str, value: object, most: int) -> None:
    """Raise `ValueError` for a value of a file that is no whole number from 1 to `most`."""
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError(f"{name} is {value!r}, not a whole number from 1 to {most}")


FULL = GanSettings()  # 1 mm, on a GPU
FAST = GanSettings(  # 2 mm, on CPU cores
    patch=(48, 48, 48),
    batch=2,
    accumulate=1,
    generator=(8, 16, 32),
    segmenter=(8, 16, 32),
    discriminator=(16, 32, 64),
    warm_up=200,
    steps=1500,
    evaluate_every=100,
    patience=5,
    average=0.99,
)
SLOPPY = GanSettings(  # for tests
    patch=(16, 16, 16),
    batch=1,
    accumulate=2,
    generator=(4, 8),
    segmenter=(4, 8),
    discriminator=(4, 8),
    warm_up=3,
    steps=4,
    evaluate_every=2,
    patience=5,
    average=0.9,
    bank_draws=2,
)
GAN_SETTINGS = {"full": FULL, "fast": FAST, "sloppy": SLOPPY}
