"""Step 3: junior and senior, on what the method made for them.

SynthTumour: junior on synthetic tumours, pseudo-labels of real ones, senior on the mixes.
Fabrication: both on annotated scans and coarse samples, the senior on refined samples, too, and,
semi-supervised, on pseudo-labelled scans.
"""

from __future__ import annotations

import dataclasses
import logging
import platform
import shutil
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from synthtumour_bids import __version__
from synthtumour_bids.bids.classes import WHOLE_TUMOUR
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.execution.progress import Progress, describe_seconds
from synthtumour_bids.execution.stamps import fingerprint
from synthtumour_bids.profiles import Training
from synthtumour_bids.settings import TEMPLATE, Method, Role
from synthtumour_bids.steps import cohort, fabricate, given_models, mixing, pseudo, synthesise
from synthtumour_bids.steps.job import Job

LOGGER = logging.getLogger(__name__)
STEP = "train"
DATASET_IDS = {"junior": 501, "senior": 502}
RETRAINING = "retraining"  # the stamp of a --retrain that is not finished


def junior_print(job: Job) -> str:
    """Fingerprint of all settings the junior depends on."""
    samples = {"stage_one": synthesise.settings_print(job)}
    if job.settings.method is Method.FABRICATION:
        samples = {"fabrication": fabricate.settings_print(job)}
    return fingerprint(
        **samples,
        training=dataclasses.asdict(job.settings.profile.junior),
    )


def senior_print(job: Job) -> str:
    """Fingerprint of all settings the senior depends on."""
    from synthtumour_bids.synthesis.borders import Evidence

    settings = job.settings
    samples: dict[str, Any] = {
        "n_mixed": settings.profile.n_mixed,
        "hold_out": sorted(settings.hold_out),
        "evidence": dataclasses.asdict(Evidence()) if settings.preset == "default" else None,
    }
    if settings.method is Method.FABRICATION:
        held_out = sorted(settings.hold_out) if settings.semi_supervised else []
        samples = {
            "semi_supervised": settings.semi_supervised,
            "hold_out": held_out,
            **(given_models.teacher_print(job) if settings.teacher else {}),
        }
    return fingerprint(
        junior=junior_print(job),
        training=dataclasses.asdict(settings.profile.senior),
        **samples,
    )


def junior_is_finished(job: Job) -> bool:
    """Whether a junior that is still good lies in the output folder."""
    return _finished(job, "junior", junior_print(job))


def is_finished(job: Job, name: str) -> bool:
    """Whether ``junior`` or ``senior`` is trained and still good, or was given."""
    if job.settings.model is not None:
        return True
    print_ = junior_print(job) if name == "junior" else senior_print(job)
    return _finished(job, name, print_)


def _finished(job: Job, name: str, print_: str) -> bool:
    return not _starts_anew(job) and cohort.finished(job, name, print_) is not None


def shifted_for_junior(job: Job) -> frozenset[str] | None:
    """Keys of the tumour-free scans that a finished junior was validated with; else ``None``."""
    if not junior_is_finished(job):
        return None
    stamp = job.stamps.read(cohort.STEP, "junior") or {}
    return frozenset(stamp["shifted"]) if "shifted" in stamp else None


def known_to_junior(job: Job, scans: Sequence[Scan]) -> list[Scan]:
    """Those of the scans that a finished junior has learned from; all, where none is finished.

    What is still to be made for the senior is made from these, or the sides of its validation
    would not be those of the junior.
    """
    if not junior_is_finished(job):
        return list(scans)
    stamp = job.stamps.read(cohort.STEP, "junior") or {}
    return [scan for scan in scans if scan.key in stamp.get("members", ())]


def _starts_anew(job: Job) -> bool:
    """Whether ``--retrain`` is still to remove the networks; a run that goes on keeps the new."""
    return job.settings.retrain and job.stamps.read(cohort.STEP, RETRAINING) is None


def run(job: Job) -> list[ScanOutcome]:
    """Train what is not trained yet: junior, pseudo-labels, mixes, senior."""
    if job.settings.model is not None:
        LOGGER.info("Using the models of %s; nothing is trained.", job.settings.model)
        return []
    if _finished(job, "senior", senior_print(job)) and junior_is_finished(job):
        LOGGER.info("Using the trained models of %s (--retrain trains anew).", job.models_dir)
        return [
            ScanOutcome(name, STEP, Status.SKIPPED, of_scan=False) for name in ("junior", "senior")
        ]
    if _starts_anew(job):
        _check_material(job)
        for name in DATASET_IDS:
            job.stamps.clear(cohort.STEP, name)
            shutil.rmtree(job.settings.output_dir / "models" / name, ignore_errors=True)
        job.stamps.mark(cohort.STEP, RETRAINING, "")
    records = [train_junior(job), train_senior(job)]
    job.stamps.clear(cohort.STEP, RETRAINING)
    return records


def _check_material(job: Job) -> None:
    """Raise what would stop the training, before networks that are there are removed for it."""
    if job.settings.method is Method.FABRICATION:
        fabricate.cases(job, refined=False)
    else:
        synthesise.junior_cases(job)
        _unlabelled(job)


def train_junior(job: Job) -> ScanOutcome:
    """Train the junior on what the synthesise step made; its validation cases choose the epoch."""
    if junior_is_finished(job):
        return ScanOutcome("junior", STEP, Status.SKIPPED, of_scan=False)
    if job.settings.method is Method.FABRICATION:
        cases, scans = fabricate.cases(job, refined=False), fabricate.sources(job)
        details = {}
    else:
        train, shifted = synthesise.sides(job)
        cases, scans = synthesise.junior_cases(job), [*train, *shifted]
        details = {"shifted": [scan.key for scan in shifted]}
    curve = _train(job, "junior", cases, job.settings.profile.junior)
    _finish(job, "junior", junior_print(job), scans, curve, cases, **details)
    return ScanOutcome("junior", STEP, Status.DONE, of_scan=False)


def train_senior(job: Job) -> ScanOutcome:
    """Train the senior: on mixes and pseudo-labelled scans, or on fabricated pairs."""
    if job.settings.method is Method.FABRICATION:
        tumours = []
        if job.settings.semi_supervised:
            validating = fabricate.validating_persons(job)
            tumours = [s for s in _unlabelled(job) if fabricate.person(s) not in validating]
        pseudo_labelled = pseudo.cases(job, tumours) if tumours else []
        cases = fabricate.cases(job, refined=True, pseudo_labelled=pseudo_labelled)
        scans = [*fabricate.sources(job), *tumours]
    else:
        tumours = _unlabelled(job)
        cases = mixing.senior_cases(job, senior_print(job), tumours)
        train, shifted = synthesise.sides(job)
        scans = [*train, *shifted, *tumours]
    initial = job.models_dir / "junior" if job.settings.profile.senior.from_junior else None
    curve = _train(job, "senior", cases, job.settings.profile.senior, initial=initial)
    _finish(job, "senior", senior_print(job), scans, curve, cases)
    return ScanOutcome("senior", STEP, Status.DONE, of_scan=False)


def _unlabelled(job: Job) -> list[Scan]:
    """Tumour scans that may be learned from by their pseudo-labels."""
    held_out = job.settings.hold_out
    tumours = [scan for scan in job.preprocessed(Role.TUMOUR) if scan.subject not in held_out]
    if not tumours:
        msg = (
            "The senior learns from real tumour scans, but none is preprocessed under "
            f"{job.settings.output_dir}"
            + (" apart from those of --hold-out." if job.settings.hold_out else ".")
        )
        raise DataError(msg)
    return tumours


def _train(
    job: Job,
    name: str,
    cases: Sequence[Any],
    training: Training,
    initial: Path | None = None,
) -> Any:
    """Train one network in ``models/<name>``; a training that was interrupted goes on."""
    from synthtumour_bids.segmentation.dataset import build_dataset
    from synthtumour_bids.segmentation.training import train

    model_dir = job.settings.output_dir / "models" / name
    job.stamps.clear(cohort.STEP, name)
    LOGGER.info(
        "%s: %d training cases, %d validation cases.",
        name.capitalize(),
        sum(not case.validation for case in cases),
        sum(case.validation for case in cases),
    )
    prepared = build_dataset(
        cases,
        job.settings.work_dir / "nnunet" / name,
        dataset_id=DATASET_IDS[name],
        name=name,
        training=training,
        n_processes=job.settings.nprocs,
        classes=_class_names(job),
    )

    with Progress(f"{name.capitalize()} epoch", training.epochs) as bar:

        def progress(epoch: int, _: int, loss: float, score: float, seconds_left: float) -> None:
            left = describe_seconds(seconds_left)
            bar.reach(epoch, f"loss {loss:.3f}, validation Dice {score:.3f}, at most {left} left")

        return train(
            prepared,
            model_dir,
            training=training,
            device=job.settings.device,
            num_gpus=job.settings.num_gpus,
            seed=job.settings.seed,
            nprocs=job.settings.nprocs,
            progress=progress,
            initial_weights=initial,
        )


def _class_names(job: Job) -> tuple[str, ...]:
    """Names of the labels 1, 2, ... for nnU-Net; with their index, as two may have one name."""
    classes = fabricate.classes(job)
    if len(classes) == 1:
        return (WHOLE_TUMOUR[0].name,)
    return tuple(f"{one.index}-{one.name}" for one in classes)


def _finish(
    job: Job,
    name: str,
    print_: str,
    scans: Sequence[Scan],
    curve: Any,
    cases: Sequence[Any],
    **details: Any,
) -> None:
    """Write ``model.json`` and the stamp, with further details."""
    from synthtumour_bids.bids.derivatives import write_json

    model_dir = job.settings.output_dir / "models" / name
    settings = job.settings
    write_json(
        model_dir / "model.json",
        {
            "Name": name,
            "Fingerprint": print_,
            "Method": settings.method,
            "Classes": [one.to_json() for one in fabricate.classes(job)],
            "SemiSupervised": settings.semi_supervised and name == "senior",
            **(
                {"Teacher": given_models.describe_teacher(job)}
                if settings.teacher and name == "senior"
                else {}
            ),
            "Contrast": settings.contrast,
            "MoreContrasts": list(settings.more_contrasts),
            "Lesion": settings.lesion,
            "Preset": settings.preset,
            "Profile": settings.profile.name,
            "Template": TEMPLATE,
            "Resolution": settings.profile.resolution,
            "Seed": settings.seed,
            "Training": dataclasses.asdict(getattr(settings.profile, name)),
            "TrainingCases": [case.name for case in cases if not case.validation],
            "ValidationCases": [case.name for case in cases if case.validation],
            "Scans": [scan.uri for scan in scans],
            "HeldOut": list(settings.hold_out),
            "BestEpoch": curve.best_epoch,
            "StoppedEarly": curve.stopped_early,
            "TrainingSeconds": round(curve.seconds, 1),
            "Versions": versions(),
        },
    )
    outputs = [model_dir / "model.json", model_dir / "fold_0" / "checkpoint_best.pth"]
    cohort.mark(job, name, print_, cohort.members(job, scans), outputs, **details)


def versions() -> Mapping[str, str]:
    """Versions of what a result depends on."""
    packages = ("antspyx", "nibabel", "nilearn", "nnunetv2", "numpy", "scipy", "torch")
    return {
        "synthtumour_bids": __version__,
        "python": platform.python_version(),
        **{package: metadata.version(package) for package in packages},
    }
