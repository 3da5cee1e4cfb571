"""Everything a run is told, as frozen dataclasses: built once by the command line, passed down."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

TEMPLATE = "MNI152NLin2009aSym"


class Role(StrEnum):
    """What a scan is good for: to segment, to host synthetic tumours, to learn from."""

    TUMOUR = "tumour"
    TUMOURFREE = "tumourfree"
    ANNOTATED = "annotated"


class Method(StrEnum):
    """How the pairs of image and label come about that the networks learn from."""

    SYNTHTUMOUR = "synthtumour"
    FABRICATION = "fabrication"


class Step(StrEnum):
    """The steps of the method, in their order."""

    PREPROCESS = "preprocess"
    SYNTHESISE = "synthesise"
    TRAIN = "train"
    SEGMENT = "segment"
    REPORT = "report"


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
        Start the senior from the junior's weights instead of random ones.
    """

    epochs: int
    iterations_per_epoch: int
    patience: int
    min_epochs: int
    batch_size: int | None = None
    patch_size: tuple[int, int, int] | None = None
    features: tuple[int, ...] | None = None
    optimiser: str = "sgd"
    learning_rate: float = 1e-2
    from_junior: bool = False


@dataclass(frozen=True)
class Profile:
    """A trade of accuracy for time: resolution, amounts of synthetic data, network sizes."""

    name: str
    resolution: float  # mm, isotropic
    junior: Training
    senior: Training
    n_train: int  # stage-1 training samples
    n_shifted: int  # shifted-validation samples
    n_mixed: int  # stage-2 mixes


PROFILES: dict[str, Profile] = {
    "full": Profile(
        name="full",
        resolution=1.0,
        junior=Training(epochs=100, iterations_per_epoch=100, patience=25, min_epochs=10),
        senior=Training(epochs=150, iterations_per_epoch=100, patience=40, min_epochs=20),
        n_train=250,
        n_shifted=60,
        n_mixed=250,
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
    ),
}


@dataclass(frozen=True)
class Settings:
    """One run of the app; field names follow the command line's flags."""

    bids_dir: Path
    output_dir: Path
    analysis_level: str = "participant"
    steps: tuple[Step, ...] = tuple(Step)

    # which scans
    participant_label: tuple[str, ...] = ()
    exclude_participant_label: tuple[str, ...] = ()
    session_label: tuple[str, ...] = ()
    bids_filter_file: Path | None = None
    bids_database_dir: Path | None = None
    skip_bids_validation: bool = False
    derivatives: tuple[Path, ...] = ()

    # roles
    tumourfree_dir: tuple[Path, ...] = ()
    group_column: str = "group"
    tumourfree_values: tuple[str, ...] = ()
    tumour_values: tuple[str, ...] = ()
    hold_out: tuple[str, ...] = ()  # tumour participants segmented but kept out of all training

    # method
    method: Method = Method.SYNTHTUMOUR
    annotated_dir: Path | None = None
    semi_supervised: bool = False
    teacher: Path | None = None  # models whose senior labels scans for semi-supervised fabrication
    lesion_volume: tuple[float, float] | None = None  # mL, of fabricated lesions
    lesion_place: Path | None = None  # mask of where their centres may lie, template space
    lesion: str = "glioma"
    contrast: str = "FLAIR"
    more_contrasts: tuple[str, ...] = ()
    priors: Path | None = None
    preset: str = "default"
    profile: Profile = field(default_factory=lambda: PROFILES["full"])
    model: Path | None = None
    retrain: bool = False
    truth: Path | None = None
    skull_strip: str = "auto"
    skull_strip_template: str | None = None

    # machine
    device: str = "auto"
    num_gpus: int = 1
    seed: int = 527
    work_dir: Path = Path("work")
    nprocs: int = 1
    omp_nthreads: int = 1
    mem_gb: float | None = None
    dask_scheduler: str | None = None

    # behaviour
    dry_run: bool = False
    reports_only: bool = False
    boilerplate_only: bool = False
    stop_on_first_crash: bool = False
    keep_work: bool = False
    verbosity: int = 0
