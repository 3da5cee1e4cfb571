"""Combinations of flags that make no sense, each refused with a sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from synthtumour_bids.errors import UsageError
from synthtumour_bids.settings import COHORT_STEPS, STARTER, Method, Settings, Step

_DEFAULTS = {field.name: field.default for field in fields(Settings)}


@dataclass(frozen=True)
class Useless:
    """Flags that have no effect where something holds.

    Attributes
    ----------
    where
        Whether it is the case.
    flags
        Fields of :class:`Settings`.
    sentence
        What to say; ``{flags}`` stands for those that were given, ``{have}`` and ``{are}`` for
        the verb that goes with their number.
    """

    where: Callable[[Settings], bool]
    flags: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class Need:
    """A flag that needs one of others beside it, and what to say where none is there."""

    flag: str
    others: tuple[str, ...]
    sentence: str


USELESS = (
    Useless(
        lambda settings: settings.method is not Method.FABRICATION,
        (
            *("semi_supervised", "teacher"),
            *("more_contrasts", "lesion_volume", "lesion_place"),
        ),
        "{flags} {are} of use with --method fabrication only; add that, or leave it out.",
    ),
    Useless(
        lambda settings: settings.method is not Method.FABRICATION,
        ("annotated_dir",),
        "{flags} {are} of use with --method fabrication only. On real gliomas nothing that learned "
        "from ten annotated scans was measurably better than the label-free method: leave it out, "
        "and use annotations of the main dataset to check its masks (--truth) or to mend them "
        "(--corrections); or add --method fabrication.",
    ),
    Useless(
        lambda settings: settings.method is Method.FABRICATION,
        ("preset", "priors", "corrections", "rounds"),
        "--method fabrication makes its tumours from annotated scans, so {flags} {have} no effect "
        "with it; leave one of them out.",
    ),
    Useless(
        lambda settings: settings.junior == STARTER,
        ("method", "preset", "priors"),
        "--junior starter is trained already and knows nothing of {flags}; leave one of them out, "
        "or choose --junior train.",
    ),
    Useless(
        lambda settings: settings.preset == "reference" and settings.model is None,
        ("lesion", "contrast", "priors"),
        "--preset reference is the published synthesis of gliomas in FLAIR images, with fixed "
        "numbers, and cannot follow {flags}; leave one of the two out.",
    ),
    Useless(
        lambda settings: settings.model is not None,
        (
            *("retrain", "priors", "junior", "corrections", "rounds"),
            *("semi_supervised", "teacher", "lesion_volume", "lesion_place"),
        ),
        "--model trains nothing, so {flags} {have} no effect with it; leave one of them out.",
    ),
)
NEEDS = (
    Need(
        "method",
        ("annotated_dir", "model"),
        "--method fabrication learns from a few annotated scans; name their dataset with "
        "--annotated-dir.",
    ),
    Need(
        "teacher",
        ("semi_supervised",),
        "--teacher makes pseudo-labels; to learn from them, add --semi-supervised.",
    ),
)


def check(settings: Settings) -> None:
    """Refuse what cannot be meant.

    Raises
    ------
    UsageError
        Saying which flags do not go together.
    """
    _check_folders(settings)
    for rule in USELESS:
        given = [_flag(settings, name) for name in rule.flags if _is_given(settings, name)]
        if given and rule.where(settings):
            have, are = ("has", "is") if len(given) == 1 else ("have", "are")
            raise UsageError(rule.sentence.format(flags=_joined(given), have=have, are=are))
    for need in NEEDS:
        if _is_given(settings, need.flag) and not any(
            _is_given(settings, name) for name in need.others
        ):
            raise UsageError(need.sentence)
    _check_contrasts(settings)
    _check_volume(settings)
    _check_steps(settings)
    _check_machine(settings)


def _is_given(settings: Settings, name: str) -> bool:
    """Whether a field has another value than where its flag is left out."""
    return bool(getattr(settings, name) != _DEFAULTS[name])


def _flag(settings: Settings, name: str) -> str:
    """The flag of a field, with its value where that is one of some choices."""
    value = getattr(settings, name)
    flag = f"--{name.replace('_', '-')}"
    return f"{flag} {value}" if isinstance(value, str) else flag


def _joined(flags: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(flags[:-1]), flags[-1])))


def _check_folders(settings: Settings) -> None:
    bids, output, work = (
        folder.resolve() for folder in (settings.bids_dir, settings.output_dir, settings.work_dir)
    )
    rois = settings.lesion_roi_dir
    if rois is not None and rois.resolve() == output:
        msg = (
            f"--lesion-roi-dir is the output folder {output}, which is a dataset of its own. "
            "Choose another folder, or leave the flag out."
        )
        raise UsageError(msg)
    others = (*settings.tumourfree_dir, *filter(None, [settings.annotated_dir]))
    for dataset in (bids, *(folder.resolve() for folder in others)):
        if output == dataset:
            msg = (
                f"The output folder is the input dataset {dataset}. Please choose another, "
                f"for instance {dataset / 'derivatives' / 'synthtumour_bids'}."
            )
            raise UsageError(msg)
        if work == dataset or (dataset in work.parents and output not in (work, *work.parents)):
            msg = (
                f"The work folder {work} lies inside the input dataset {dataset}; "
                "choose another with --work-dir."
            )
            raise UsageError(msg)


def _check_contrasts(settings: Settings) -> None:
    contrasts = (settings.contrast, *settings.more_contrasts)
    if len(set(contrasts)) < len(contrasts):
        msg = f"--more-contrasts names a contrast twice: {', '.join(contrasts)} with --contrast."
        raise UsageError(msg)


def _check_volume(settings: Settings) -> None:
    if settings.lesion_volume is None:
        return
    low, high = settings.lesion_volume
    if low > high:
        msg = f"--lesion-volume {low:g} {high:g}: the smallest volume comes first."
        raise UsageError(msg)


def _check_steps(settings: Settings) -> None:
    """Refuse steps that given models do away with, and those that the level does not have."""
    if settings.reports_only or settings.boilerplate_only:
        return
    left = set(settings.steps) - {Step.SYNTHESISE, Step.TRAIN}
    if settings.analysis_level == "group":
        left &= {Step.REPORT}
    if settings.model is not None and not left:
        msg = (
            f"--model trains nothing, so --steps {' '.join(settings.steps)} at level "
            f"{settings.analysis_level} leaves nothing to do; leave --model out, or choose other "
            "--steps."
        )
        raise UsageError(msg)
    others = [step for step in settings.steps if step not in COHORT_STEPS]
    if settings.analysis_level == "group" and others and _is_given(settings, "steps"):
        msg = (
            f"--steps {' '.join(settings.steps)}: level group does {', '.join(COHORT_STEPS)}, for "
            f"all scans at once. Leave out {' and '.join(others)}, or choose level participant."
        )
        raise UsageError(msg)


def _check_machine(settings: Settings) -> None:
    if settings.omp_nthreads > settings.nprocs:
        msg = (
            f"--omp-nthreads {settings.omp_nthreads} is more than --nprocs {settings.nprocs}, "
            "the cores to use in all."
        )
        raise UsageError(msg)
    if settings.num_gpus > 1 and settings.device not in ("auto", "cuda"):
        msg = (
            f"--num-gpus {settings.num_gpus} trains on that many CUDA devices, --device "
            f"{settings.device} asks for another one. Leave one of the two flags out; the variable "
            "CUDA_VISIBLE_DEVICES says which CUDA devices there are to use."
        )
        raise UsageError(msg)
