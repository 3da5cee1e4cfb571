"""Everything a run is told, as frozen dataclasses: built once by the command line, passed down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal, get_args

from synthtumour_bids.profiles import PROFILES, Profile

TEMPLATE = "MNI152NLin2009aSym"
STARTER: Literal["starter"] = "starter"  # the network that is shipped: its name, and --model's word


def atlas_files(text: str) -> tuple[Path, Path | None]:
    """Take ``FILE[:LABELS.tsv]`` apart, where colons may also stand in the paths.

    Parameters
    ----------
    text
        As the user gave it: the image is what is a file, the whole text or up to a colon.

    Returns
    -------
    The image and, if there is one, its table of labels.
    """
    parts = text.split(":")
    pairs = [(":".join(parts[:n]), ":".join(parts[n:])) for n in range(1, len(parts) + 1)]
    # The whole text goes first; where nothing is a file, the first colon parts the two.
    there = [pair for pair in (pairs[-1], *pairs) if Path(pair[0]).is_file()]
    image, labels = (there or pairs)[0]
    return Path(image), Path(labels) if labels else None


class Role(StrEnum):
    """What a scan is good for: to segment, to host synthetic tumours, to learn from, to measure."""

    TUMOUR = "tumour"
    TUMOURFREE = "tumourfree"
    ANNOTATED = "annotated"
    HELD_OUT = "heldout"  # tumour-free, segmented, learned from in no way

    @property
    def is_segmented(self) -> bool:
        """Whether scans of this role get a mask."""
        return self in (Role.TUMOUR, Role.HELD_OUT)


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


COHORT_STEPS = (Step.SYNTHESISE, Step.TRAIN, Step.REPORT)  # those that one job does for all
AnalysisLevel = Literal["participant", "group"]
Contrast = Literal["FLAIR", "T2w", "T1w", "DWI"]
FurtherContrast = Literal["T1w", "ceT1w", "T2w", "FLAIR"]  # ceT1w: after a contrast agent
Lesion = Literal["glioma", "metastasis", "stroke"]
Preset = Literal["default", "reference"]
JuniorSource = Literal["starter", "train"]
SkullStrip = Literal["auto", "force", "skip"]

ANALYSIS_LEVELS: tuple[AnalysisLevel, ...] = get_args(AnalysisLevel)
CONTRASTS: tuple[Contrast, ...] = get_args(Contrast)
FURTHER_CONTRASTS: tuple[FurtherContrast, ...] = get_args(FurtherContrast)
LESIONS: tuple[Lesion, ...] = get_args(Lesion)
PRESETS: tuple[Preset, ...] = get_args(Preset)
JUNIOR_SOURCES: tuple[JuniorSource, ...] = get_args(JuniorSource)
SKULL_STRIP_MODES: tuple[SkullStrip, ...] = get_args(SkullStrip)

# Fields of labels, each with the prefix that a user may write before them or not.
LABEL_PREFIXES = {
    "participant_label": "sub-",
    "exclude_participant_label": "sub-",
    "session_label": "ses-",
    "hold_out": "sub-",
}


@dataclass(frozen=True)
class Settings:
    """One run of the app; field names follow the command line's flags.

    Labels of participants and sessions may be given with their prefix (``sub-01``) and several in
    one text (``"01 02"``); they are kept bare and each once.
    """

    bids_dir: Path
    output_dir: Path
    analysis_level: AnalysisLevel = "participant"
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
    hold_out: tuple[str, ...] = ()  # participants segmented but kept out of all training

    # method
    method: Method = Method.SYNTHTUMOUR
    annotated_dir: Path | None = None
    semi_supervised: bool = False
    teacher: Path | None = None  # models whose senior labels scans for semi-supervised fabrication
    lesion_volume: tuple[float, float] | None = None  # mL, of fabricated lesions
    lesion_place: Path | None = None  # mask of where their centres may lie, template space
    lesion: Lesion = "glioma"
    contrast: Contrast = "FLAIR"
    more_contrasts: tuple[FurtherContrast, ...] = ()
    priors: Path | None = None
    preset: Preset = "default"
    # Where the junior comes from. None: a starter where there is one; resolved, its bundle.
    junior: Path | JuniorSource | None = None
    rounds: int | None = None  # of seniors; None: as many as the output folder has, else 1
    profile: Profile = PROFILES["full"]
    profile_given: bool = True  # False: to be chosen by output folder and machine
    model: Path | Literal["starter"] | None = None  # networks to segment with; nothing is trained
    retrain: bool = False
    truth: Path | None = None
    output_spaces: tuple[str, ...] = ()  # SPACE[:res-N]; left out: the scan's, the template's, T1w
    healthy_twin: bool = False  # also the scans with the tumour replaced
    lesion_roi_dir: Path | None = None  # None: below the output folder
    corrections: Path | None = None  # masks that a person has edited, for the next senior
    atlas: str | None = None  # FILE[:LABELS.tsv] on the template, for volumes by region
    keep_mask: bool = False  # also the parts of masks that are like the other side of the brain
    skull_strip: SkullStrip = "auto"
    skull_strip_template: str | None = None

    # machine
    device: str = "auto"
    num_gpus: int = 1
    seed: int = 527
    work_dir: Path = Path("work")
    nprocs: int = 1
    nprocs_given: bool = True  # False: as many as the machine offers
    omp_nthreads: int = 1
    mem_gb: float | None = None
    dask_scheduler: str | None = None

    # behaviour
    dry_run: bool = False
    reports_only: bool = False
    boilerplate_only: bool = False
    stop_on_first_crash: bool = False
    keep_work: bool = False
    no_viewer: bool = False  # reports without interactive views
    anonymous_paths: bool = False  # also where they are of use: dataset links, the run's settings
    verbosity: int = 0

    def __post_init__(self) -> None:
        """Bring labels into one form, whoever gave them."""
        for name, prefix in LABEL_PREFIXES.items():
            object.__setattr__(self, name, _bare(getattr(self, name), prefix))


def _bare(labels: Iterable[str], prefix: str) -> tuple[str, ...]:
    words = (word.removeprefix(prefix) for text in labels for word in text.split())
    return tuple(dict.fromkeys(word for word in words if word))
