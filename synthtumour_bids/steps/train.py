"""Step 3: junior on synthetic tumours, pseudo-labels of real ones, senior on the mixes."""

from __future__ import annotations

import dataclasses
import json
import logging
import platform
import shutil
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from synthtumour_bids import __version__
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.execution.progress import describe_seconds
from synthtumour_bids.execution.stamps import fingerprint
from synthtumour_bids.settings import TEMPLATE, Role, Training
from synthtumour_bids.steps import cohort, mixing, synthesise
from synthtumour_bids.steps.job import Job

LOGGER = logging.getLogger(__name__)
STEP = "train"
DATASET_IDS = {"junior": 501, "senior": 502}


def junior_print(job: Job) -> str:
    """Fingerprint of all settings the junior depends on."""
    return fingerprint(
        stage_one=synthesise.settings_print(job),
        training=dataclasses.asdict(job.settings.profile.junior),
    )


def senior_print(job: Job) -> str:
    """Fingerprint of all settings the senior depends on."""
    return fingerprint(
        junior=junior_print(job),
        training=dataclasses.asdict(job.settings.profile.senior),
        n_mixed=job.settings.profile.n_mixed,
        hold_out=sorted(job.settings.hold_out),
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
    return not job.settings.retrain and cohort.finished(job, name, print_) is not None


def run(job: Job) -> list[ScanOutcome]:
    """Train what is not trained yet: junior, pseudo-labels, mixes, senior."""
    if job.settings.model is not None:
        LOGGER.info("Using the models of %s; nothing is trained.", job.settings.model)
        return []
    if _finished(job, "senior", senior_print(job)) and junior_is_finished(job):
        LOGGER.info("Using the trained models of %s (--retrain trains anew).", job.models_dir)
        return [ScanOutcome(name, STEP, Status.SKIPPED) for name in ("junior", "senior")]
    if job.settings.retrain:
        for name in DATASET_IDS:
            shutil.rmtree(job.settings.output_dir / "models" / name, ignore_errors=True)
    return [train_junior(job), train_senior(job)]


def train_junior(job: Job) -> ScanOutcome:
    """Train the junior on stage-1 samples; its checkpoint is chosen on the shifted set."""
    if junior_is_finished(job):
        return ScanOutcome("junior", STEP, Status.SKIPPED)
    path = synthesise.samples_file(job)
    if not path.is_file():
        msg = f"The stage-1 samples are not in {path.parent}; run the synthesise step first."
        raise DataError(msg)
    from synthtumour_bids.segmentation.dataset import Case

    samples = json.loads(path.read_text())
    cases = [
        Case(
            sample["name"],
            Path(sample["image"]),
            Path(sample["label"]),
            validation=sample["purpose"] == "shifted",
        )
        for sample in samples
    ]
    hosts = job.preprocessed(Role.TUMOURFREE)
    curve = _train(job, "junior", cases, job.settings.profile.junior)
    _finish(job, "junior", junior_print(job), hosts, curve, cases)
    return ScanOutcome("junior", STEP, Status.DONE)


def train_senior(job: Job) -> ScanOutcome:
    """Pseudo-label the tumour scans, mix them into tumour-free brains, train the senior."""
    hosts = job.preprocessed(Role.TUMOURFREE)
    tumours = [
        scan for scan in job.preprocessed(Role.TUMOUR) if scan.subject not in job.settings.hold_out
    ]
    if not tumours:
        msg = (
            "The senior learns from real tumour scans, but none is preprocessed under "
            f"{job.settings.output_dir}"
            + (" apart from those of --hold-out." if job.settings.hold_out else ".")
        )
        raise DataError(msg)
    cases = mixing.senior_cases(job, senior_print(job), tumours, hosts)
    initial = job.models_dir / "junior" if job.settings.profile.senior.from_junior else None
    curve = _train(job, "senior", cases, job.settings.profile.senior, initial=initial)
    _finish(job, "senior", senior_print(job), [*hosts, *tumours], curve, cases)
    return ScanOutcome("senior", STEP, Status.DONE)


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
    )

    def progress(epoch: int, epochs: int, loss: float, score: float, seconds_left: float) -> None:
        LOGGER.info(
            "%s epoch %d/%d: loss %.3f, validation Dice %.3f, at most %s left",
            name.capitalize(),
            epoch,
            epochs,
            loss,
            score,
            describe_seconds(seconds_left),
        )

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


def _finish(
    job: Job,
    name: str,
    print_: str,
    scans: Sequence[Scan],
    curve: Any,
    cases: Sequence[Any],
) -> None:
    """Write ``model.json`` and the stamp."""
    from synthtumour_bids.bids.derivatives import write_json

    model_dir = job.settings.output_dir / "models" / name
    settings = job.settings
    write_json(
        model_dir / "model.json",
        {
            "Name": name,
            "Fingerprint": print_,
            "Contrast": settings.contrast,
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
    cohort.mark(job, name, print_, cohort.members(job, scans), outputs)


def versions() -> Mapping[str, str]:
    """Versions of what a result depends on."""
    packages = ("antspyx", "nibabel", "nilearn", "nnunetv2", "numpy", "scipy", "torch")
    return {
        "synthtumour_bids": __version__,
        "python": platform.python_version(),
        **{package: metadata.version(package) for package in packages},
    }
