"""What a run is going to do: its steps, and the plan as a table."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from synthtumour_bids.bids.images import MAIN
from synthtumour_bids.bids.inputs import datasets
from synthtumour_bids.bids.names import CONTRAST_SUFFIXES
from synthtumour_bids.errors import UnavailableError, UsageError
from synthtumour_bids.execution.locks import sole
from synthtumour_bids.preprocessing.template_files import find_template
from synthtumour_bids.settings import Method, Role, Settings, Step
from synthtumour_bids.steps.job import Job

LOGGER = logging.getLogger(__name__)
COHORT_STEPS = (Step.SYNTHESISE, Step.TRAIN, Step.REPORT)
NETWORKS = ("junior", "senior")


def steps(settings: Settings) -> tuple[Step, ...]:
    """Steps of this run: level and ``--steps`` both narrow them."""
    if settings.reports_only:
        return (Step.REPORT,)
    chosen = settings.steps
    if settings.analysis_level == "group":
        chosen = tuple(step for step in chosen if step in COHORT_STEPS)
    if settings.model is not None:
        chosen = tuple(step for step in chosen if step not in (Step.SYNTHESISE, Step.TRAIN))
    return chosen


def checks_input(settings: Settings) -> bool:
    """Whether the input is validated: in whole runs, not in each job of an array."""
    return (
        not settings.skip_bids_validation
        and not settings.participant_label
        and Step.PREPROCESS in steps(settings)
    )


def further_datasets(settings: Settings) -> dict[str, Path]:
    """Names of the further datasets in BIDS URIs: tumourfree, tumourfree2, ..., annotated."""
    return {dataset.name: dataset.root for dataset in datasets(settings) if dataset.name != MAIN}


@contextmanager
def sole_training(job: Job) -> Iterator[None]:
    """Keep other runs from training in the same output folder during the block.

    Raises
    ------
    UnavailableError
        When another run does so; not where there is nothing left to train.
    """
    if _is_trained(job):
        yield
        return
    models = job.settings.output_dir / "models"
    refusal = (
        f"Another run ({{holder}}) is training in {models}. Wait until it has ended, then run the "
        "same command again. Jobs that share one output folder take the steps apart: "
        "--steps preprocess for each participant, level group once, then --steps segment report."
    )
    with sole(models / ".lock", refusal):
        yield


def _is_trained(job: Job) -> bool:
    from synthtumour_bids.steps import train

    return all(train.is_finished(job, name) for name in NETWORKS)


def check_gpus(job: Job) -> None:
    """Look for the GPUs of ``--num-gpus`` before anything is computed.

    Raises
    ------
    UnavailableError
        When there are fewer.
    UsageError
        When that many cannot share the batches of the profile out evenly.
    """
    n, profile = job.settings.num_gpus, job.settings.profile
    if n == 1 or Step.TRAIN not in steps(job.settings) or _is_trained(job):
        return
    from synthtumour_bids.segmentation.distributed import check_batch
    from synthtumour_bids.segmentation.environment import training_devices

    for training in (profile.junior, profile.senior):
        if training.batch_size is not None:  # else nnU-Net plans it later
            check_batch(training.batch_size, n)
    training_devices(job.settings.device, n)


def check_contrast(settings: Settings) -> None:
    """Refuse an output folder that holds results of another contrast: mask names would collide.

    Raises
    ------
    UsageError
        Naming the contrast found.
    """
    ours = CONTRAST_SUFFIXES[settings.contrast]
    stamps = (settings.output_dir / "logs" / "stamps" / Step.PREPROCESS).glob("[!.]*.json")
    others = {path.stem.rpartition("_")[2] for path in stamps} - set(ours)
    if others:
        msg = (
            f"{settings.output_dir} holds results of {', '.join(sorted(others))} scans, and masks "
            f"of {settings.contrast} scans would have the same names; choose another output "
            f"folder for --contrast {settings.contrast}."
        )
        raise UsageError(msg)


def check_template(settings: Settings) -> None:
    """Look for the head template before anything is computed.

    Raises
    ------
    UnavailableError
        With the command that gets it.
    """
    if Step.PREPROCESS in steps(settings):
        find_template(settings.skull_strip_template)


def table(job: Job) -> str:
    """Plan of the run: one line a scan, and the cohort's steps below."""
    from synthtumour_bids.steps import preprocess

    planned = steps(job.settings)
    models = _networks(job)
    to_train = Step.TRAIN in planned and not _is_trained(job)
    rows = [("participant", "session", "scan", "role", "preprocess", "segment")]
    for scan in sorted(job.selected(), key=lambda scan: scan.key):
        preprocessed = preprocess.is_done(job, scan)
        stamp = job.stamps.read("segment", scan.key) or {}
        segmented = stamp.get("models") == models and not to_train
        rows.append(
            (
                f"sub-{scan.subject}",
                f"ses-{scan.session}" if scan.session else "-",
                scan.path.name,
                scan.role.value,
                _state(Step.PREPROCESS in planned, preprocessed),
                _state(Step.SEGMENT in planned, segmented and preprocessed)
                if scan.role is Role.TUMOUR
                else "-",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    counts = {role: len(job.selected(role)) for role in Role}
    lines.append("")
    annotated = f", {counts[Role.ANNOTATED]} annotated scans" if counts[Role.ANNOTATED] else ""
    lines.append(
        f"{counts[Role.TUMOUR]} tumour and {counts[Role.TUMOURFREE]} tumour-free scans{annotated}; "
        f"method {job.settings.method}, profile {job.settings.profile.name}, "
        f"preset {job.settings.preset}."
    )
    return "\n".join([*lines, *_cohort_lines(job, models)])


def _networks(job: Job) -> dict[str, str]:
    """Fingerprints of the networks that are there."""
    from synthtumour_bids.steps.predictions import model_print

    prints = {}
    for name in NETWORKS:
        with suppress(UnavailableError):
            prints[name] = model_print(job.models_dir / name)
    return prints


def _cohort_lines(job: Job, networks: Collection[str]) -> list[str]:
    """State of the steps that are done once for all scans."""
    from synthtumour_bids.steps import train

    planned = steps(job.settings)
    states = {"synthesise": _state(Step.SYNTHESISE in planned, _is_synthesised(job))}
    done = True
    for name in NETWORKS:  # the senior is trained anew after its junior
        done = done and name in networks and train.is_finished(job, name)
        states[name] = _state(Step.TRAIN in planned, done)
    states["report"] = _state(Step.REPORT in planned, done=False)  # it is written anew each time
    return [f"{name}: {state}" for name, state in states.items()]


def _is_synthesised(job: Job) -> bool:
    """Whether the samples to learn from are there, or no longer needed."""
    from synthtumour_bids.steps import cohort, fabricate, synthesise, train

    if job.settings.model is not None:
        return False
    if _is_trained(job):
        return True
    if job.settings.method is Method.FABRICATION:
        name, print_ = fabricate.NAME, fabricate.settings_print(job)
        scans = fabricate.sources(job)
    else:
        name, print_ = synthesise.NAME, synthesise.settings_print(job)
        scans = train.known_to_junior(job, job.preprocessed(Role.TUMOURFREE))
    return cohort.up_to_date(job, name, print_, scans)


def _state(planned: bool, done: bool) -> str:
    if done:
        return "done"
    return "to do" if planned else "not asked"
