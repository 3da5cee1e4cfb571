"""What a run will take: time, memory and disk, from what the benchmarks have measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from synthtumour_bids.execution.progress import describe_seconds
from synthtumour_bids.profiles import Profile, Training

DeviceKind = Literal["cpu", "cuda", "mps"]
CALIBRATING = 24  # cases that a senior is calibrated on


@dataclass(frozen=True)
class Cost:
    """What the work of one profile costs; `benchmarks/RESULTS.md` names the machine.

    Attributes
    ----------
    step_s, score_s
        Processor seconds of a training step and of a scored validation case
        (``benchmarks/training_step.py --profile NAME --device cpu``).
    training_gb
        Peak memory of a training, GB (the same).
    case_gb, prepared_gb
        A training case on disk, as written and as nnU-Net prepares it, GB (the same).
    preprocess_s, segment_s
        Processor seconds of a scan (``benchmarks/cohort.py steps``, ``scripts/demo.sh`` for
        ``sloppy``; for ``full`` see ``benchmarks/RESULTS.md``, "What a training takes").
    process_gb
        Memory of one of the processes that work on scans (the same), GB.
    """

    step_s: float
    score_s: float
    training_gb: float
    case_gb: float
    prepared_gb: float
    preprocess_s: float
    segment_s: float
    process_gb: float


COSTS = {
    "full": Cost(
        step_s=193.0,
        score_s=23.0,
        training_gb=13.0,
        case_gb=0.043,
        prepared_gb=0.050,
        preprocess_s=93.0,
        segment_s=114.0,
        process_gb=2.0,
    ),
    "fast": Cost(
        step_s=2.05,
        score_s=0.36,
        training_gb=1.5,
        case_gb=0.0053,
        prepared_gb=0.0065,
        preprocess_s=39.0,
        segment_s=10.6,
        process_gb=1.6,
    ),
    "sloppy": Cost(
        step_s=0.50,
        score_s=0.23,
        training_gb=1.1,
        case_gb=0.0007,
        prepared_gb=0.0008,
        preprocess_s=10.0,
        segment_s=2.0,
        process_gb=1.1,
    ),
}


@dataclass(frozen=True)
class Estimate:
    """What a run will take at most, as trainings may stop early.

    Attributes
    ----------
    hours
        ``None`` where nobody has measured it: on GPUs, whose speeds differ widely.
    memory_gb, disk_gb
        Of the work at its largest; the disk that scratch data need until they are removed.
    """

    profile: str
    nprocs: int
    hours: float | None
    memory_gb: float
    disk_gb: float

    def sentence(self) -> str:
        """Say it for the log and for ``--dry-run``."""
        needs = f"about {_gb(self.memory_gb)} of memory and {_gb(self.disk_gb)} of scratch space"
        if self.hours is None:
            return f"Profile {self.profile} takes {needs}; how long it takes depends on the GPU."
        cores = "core" if self.nprocs == 1 else "cores"
        return (
            f"Profile {self.profile} takes up to {describe_seconds(3600 * self.hours)} on "
            f"{self.nprocs} CPU {cores}, {needs}."
        )


def _gb(amount: float) -> str:
    return f"{amount:.0f} GB" if amount >= 1 else "less than 1 GB"


def estimate(
    profile: Profile,
    n_scans: int,
    device_kind: DeviceKind,
    nprocs: int,
    *,
    trains: bool = True,
    trains_junior: bool = True,
    rounds: int = 1,
) -> Estimate:
    """Estimate what a run takes.

    Parameters
    ----------
    n_scans
        Scans to preprocess and segment.
    device_kind
        Where networks run.
    nprocs
        Cores; the work is assumed to share out evenly among them.
    trains
        Whether networks are to be trained.
    trains_junior
        Whether the junior is one of them; a starter needs no training.
    rounds
        How many seniors are trained, one after the other in the same scratch space.
    """
    cost = COSTS[profile.name]
    seconds = n_scans * (cost.preprocess_s + cost.segment_s)
    memory = min(nprocs, n_scans) * cost.process_gb
    disk = 0.0
    if trains:
        for_junior = profile.n_train + profile.n_shifted if trains_junior else 0
        for_senior = profile.n_train + profile.n_shifted + profile.n_mixed + n_scans
        if trains_junior:  # else the starter tells what nothing looks like
            seconds += profile.n_controls * cost.segment_s
            seconds += _training_seconds(profile, profile.junior, cost)
        seconds += rounds * _training_seconds(profile, profile.senior, cost)
        seconds += rounds * n_scans * cost.segment_s  # pseudo-labels
        seconds += CALIBRATING * cost.segment_s  # how far the last senior can be trusted
        memory = max(memory, cost.training_gb)
        disk = (for_senior + CALIBRATING) * cost.case_gb
        disk += (for_junior + for_senior) * cost.prepared_gb
    hours = seconds / nprocs / 3600 if device_kind == "cpu" else None
    return Estimate(profile.name, nprocs, hours, memory, disk)


def _training_seconds(profile: Profile, training: Training, cost: Cost) -> float:
    """Processor seconds of all epochs, each with its score on the validation cases."""
    epoch = training.iterations_per_epoch * cost.step_s + profile.n_shifted * cost.score_s
    return training.epochs * epoch
