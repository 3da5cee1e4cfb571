"""Combinations of flags that make no sense, each refused with a sentence."""

from __future__ import annotations

from synthtumour_bids.errors import UsageError
from synthtumour_bids.settings import Method, Settings, Step


def check(settings: Settings) -> None:
    """Refuse what cannot be meant.

    Raises
    ------
    UsageError
        Saying which flags do not go together.
    """
    _check_folders(settings)
    _check_method(settings)
    _check_model(settings)
    _check_machine(settings)


def _check_folders(settings: Settings) -> None:
    bids, output, work = (
        folder.resolve() for folder in (settings.bids_dir, settings.output_dir, settings.work_dir)
    )
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


def _check_method(settings: Settings) -> None:
    contrasts = (settings.contrast, *settings.more_contrasts)
    if len(set(contrasts)) < len(contrasts):
        msg = f"--more-contrasts names a contrast twice: {', '.join(contrasts)} with --contrast."
        raise UsageError(msg)
    if settings.method is Method.FABRICATION:
        if settings.annotated_dir is None and settings.model is None:
            msg = (
                "--method fabrication learns from a few annotated scans; name their dataset with "
                "--annotated-dir."
            )
            raise UsageError(msg)
        if settings.lesion_volume and settings.lesion_volume[0] > settings.lesion_volume[1]:
            low, high = settings.lesion_volume
            msg = f"--lesion-volume {low:g} {high:g}: the smallest volume comes first."
            raise UsageError(msg)
        if settings.teacher is not None and not settings.semi_supervised:
            msg = "--teacher makes pseudo-labels; to learn from them, add --semi-supervised."
            raise UsageError(msg)
        return
    for flag, given in (
        ("--annotated-dir", settings.annotated_dir),
        ("--semi-supervised", settings.semi_supervised),
        ("--teacher", settings.teacher),
        ("--more-contrasts", settings.more_contrasts),
        ("--lesion-volume", settings.lesion_volume),
        ("--lesion-place", settings.lesion_place),
    ):
        if given:
            msg = f"{flag} is of use with --method fabrication only; add that, or leave it out."
            raise UsageError(msg)
    if settings.preset == "reference" and settings.model is None:
        _check_reference(settings)


def _check_reference(settings: Settings) -> None:
    """The published synthesis draws gliomas in FLAIR, with numbers of its own."""
    for flag, given in (
        (f"--lesion {settings.lesion}", settings.lesion != "glioma"),
        (f"--contrast {settings.contrast}", settings.contrast != "FLAIR"),
        ("--priors", settings.priors is not None),
    ):
        if given:
            msg = (
                "--preset reference is the published synthesis of gliomas in FLAIR images, with "
                f"fixed numbers, and cannot follow {flag}; leave one of the two out."
            )
            raise UsageError(msg)


def _check_model(settings: Settings) -> None:
    """What only training heeds is not to be asked for where nothing is trained."""
    if settings.model is None:
        return
    useless = [
        flag
        for flag, given in (
            ("--retrain", settings.retrain),
            ("--hold-out", settings.hold_out),
            ("--priors", settings.priors is not None),
        )
        if given
    ]
    if useless:
        flags, verb = " and ".join(useless), "has" if len(useless) == 1 else "have"
        msg = f"--model trains nothing, so {flags} {verb} no effect with it; leave one of them out."
        raise UsageError(msg)
    if settings.reports_only or settings.boilerplate_only:
        return
    left = set(settings.steps) - {Step.SYNTHESISE, Step.TRAIN}
    if settings.analysis_level == "group":
        left &= {Step.REPORT}
    if not left:
        msg = (
            f"--model trains nothing, so --steps {' '.join(settings.steps)} at level "
            f"{settings.analysis_level} leaves nothing to do; leave --model out, or choose other "
            "--steps."
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
    if settings.seed < 0:
        msg = f"--random-seed must be 0 or more, found {settings.seed}."
        raise UsageError(msg)
