"""Networks of earlier runs: ``--model`` to segment with, ``--teacher`` for pseudo-labels."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from synthtumour_bids.errors import UnavailableError, UsageError
from synthtumour_bids.settings import Settings
from synthtumour_bids.steps.job import TEACHER, Job
from synthtumour_bids.steps.predictions import model_print
from synthtumour_bids.steps.refining import evidence_of

# What is read of a network to segment with it.
NEEDED = ("model.json", "dataset.json", "plans.json", "fold_0/checkpoint_best.pth")


def with_model(settings: Settings) -> Settings:
    """Take resolution, contrasts and lesion from the model given with ``--model``.

    Nothing is learned then, so annotated scans are scans to segment like others.

    Raises
    ------
    UnavailableError
        When the folder does not hold both networks.
    UsageError
        When the model was trained on another contrast than ``--contrast`` names.
    """
    if settings.model is None:
        return settings
    folder, model = _senior("--model", settings.model, settings.contrast)
    _check_networks(folder)
    profile = dataclasses.replace(settings.profile, resolution=float(model["Resolution"]))
    return dataclasses.replace(
        settings,
        model=folder,
        profile=profile,
        lesion=model["Lesion"],
        more_contrasts=tuple(model.get("MoreContrasts", ())),
        annotated_dir=None,
    )


def with_teacher(settings: Settings) -> Settings:
    """Check that the models given with ``--teacher`` can label the scans of this run.

    Raises
    ------
    UnavailableError
        When the folder holds no senior.
    UsageError
        When its senior was trained on other contrasts or another voxel size.
    """
    if settings.teacher is None or settings.model is not None:
        return settings
    folder, model = _senior("--teacher", settings.teacher, settings.contrast)
    others = tuple(model.get("MoreContrasts", ()))
    if others and others != settings.more_contrasts:
        msg = (
            f"--teacher {settings.teacher} was trained with --more-contrasts {' '.join(others)}; "
            f"this run has {' '.join(settings.more_contrasts) or 'none'}."
        )
        raise UsageError(msg)
    if float(model["Resolution"]) != settings.profile.resolution:
        msg = (
            f"--teacher {settings.teacher} was trained at {model['Resolution']:g} mm (profile "
            f"{model['Profile']}); profile {settings.profile.name} works at "
            f"{settings.profile.resolution:g} mm. Choose --profile {model['Profile']}."
        )
        raise UsageError(msg)
    return dataclasses.replace(settings, teacher=folder)


def check_teacher(job: Job) -> None:
    """Refuse a ``--teacher`` that tells other tumour classes than the annotations.

    Raises
    ------
    UsageError
        Naming both.
    """
    from synthtumour_bids.steps import class_images, fabricate

    if job.settings.teacher is None or job.settings.model is not None:
        return
    told = [one.name for one in class_images.model_classes(job.model_dir(TEACHER))]
    wanted = [one.name for one in fabricate.classes(job)]
    if told != wanted:
        msg = (
            f"--teacher {job.settings.teacher} tells {', '.join(told)}, the annotations tell "
            f"{', '.join(wanted)}. Leave --teacher out, or annotate with label-L_mask alone."
        )
        raise UsageError(msg)


def _check_networks(folder: Path) -> None:
    """Refuse a models folder without what segmenting needs: the senior, and its junior beside it.

    Raises
    ------
    UnavailableError
        Naming the files that are missing.
    """
    missing = [
        f"{name}/{file}"
        for name in ("junior", "senior")
        for file in NEEDED
        if not (folder / name / file).is_file()
    ]
    if missing:
        msg = (
            f"--model {folder}: looked for a trained junior and a trained senior; missing: "
            f"{', '.join(missing)}. Name the output folder of a run that has finished training, "
            "or its models folder."
        )
        raise UnavailableError(msg)


def _senior(flag: str, given: Path, contrast: str) -> tuple[Path, dict[str, Any]]:
    """Models folder, found from there, from its senior or from its output folder; its senior."""
    folder = given
    if not (given / "senior").is_dir():
        if (given / "models" / "senior").is_dir():
            folder = given / "models"
        elif given.name == "senior" and (given / "model.json").is_file():
            folder = given.parent
    description = folder / "senior" / "model.json"
    if not description.is_file():
        msg = (
            f"{flag} {given}: looked for senior/model.json there and in its folder models, found "
            "none. Name the output folder of an earlier run, or its models folder."
        )
        raise UnavailableError(msg)
    model = json.loads(description.read_text())
    if model["Contrast"] != contrast:
        msg = (
            f"{flag} {given} was trained on {model['Contrast']} images; "
            f"--contrast asks for {contrast}."
        )
        raise UsageError(msg)
    return folder, model


def teacher_print(job: Job) -> dict[str, Any]:
    """What the teacher's pseudo-labels depend on, for a fingerprint."""
    folder = job.model_dir(TEACHER)
    evidence = evidence_of(folder)
    return {
        "teacher": model_print(folder),
        "evidence": dataclasses.asdict(evidence) if evidence else None,
    }


def describe_teacher(job: Job) -> dict[str, Any]:
    """Which network made the pseudo-labels, if it was not the junior."""
    folder = job.model_dir(TEACHER)
    model = json.loads((folder / "model.json").read_text())
    kept = {key: model[key] for key in ("Method", "Preset", "Profile", "Fingerprint")}
    return {**kept, "Weights": model_print(folder)}
