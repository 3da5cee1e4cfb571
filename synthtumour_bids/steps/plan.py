"""What a run is going to do: its steps, and the plan as a table."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from synthtumour_bids.bids.images import MAIN
from synthtumour_bids.bids.inputs import datasets
from synthtumour_bids.bids.names import CONTRAST_SUFFIXES
from synthtumour_bids.errors import DataError, UnavailableError, UsageError
from synthtumour_bids.execution.locks import exclusive_lock
from synthtumour_bids.preprocessing.template_files import find_template
from synthtumour_bids.settings import Method, Role, Settings, Step
from synthtumour_bids.steps.job import Job

LOGGER = logging.getLogger(__name__)
COHORT_STEPS = (Step.SYNTHESISE, Step.TRAIN, Step.REPORT)
NETWORKS = ("junior", "senior")
FEWEST_HOSTS = 2  # tumour-free participants: one to train on, one to validate on


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
    with exclusive_lock(models / ".lock", refusal):
        yield


def _is_trained(job: Job) -> bool:
    from synthtumour_bids.steps import train

    return all(train.is_finished(job, name) for name in NETWORKS)


def check_gpus(job: Job) -> None:
    """Look for the GPUs of ``--num-gpus`` and ``--device`` before anything is computed.

    Raises
    ------
    UnavailableError
        When there are fewer, or the device named is not there.
    UsageError
        When that many cannot share the batches of the profile out evenly.
    """
    n, device = job.settings.num_gpus, job.settings.device
    always_there = n == 1 and device in ("auto", "cpu")
    if always_there or Step.TRAIN not in steps(job.settings) or _is_trained(job):
        return
    from synthtumour_bids.segmentation.environment import training_devices

    _check_batches(job.settings)
    training_devices(device, n)


def _check_batches(settings: Settings) -> None:
    """Refuse a number of GPUs that cannot share a batch out; torch is imported to say so only."""
    n, profile = settings.num_gpus, settings.profile
    for training in (profile.junior, profile.senior):
        size = training.batch_size  # None: nnU-Net plans it later
        if size is not None and size % n:
            from synthtumour_bids.segmentation.distributed import check_batch

            check_batch(size, n)


def check_cohort(job: Job) -> None:
    """Refuse a training that cannot end well, before its scans are preprocessed for hours.

    Raises
    ------
    PriorsError
        When the priors cannot be used.
    UsageError
        When the batches cannot be shared out among ``--num-gpus``.
    DataError
        With too few participants to make samples from and to learn from.
    """
    settings = job.settings
    planned = steps(settings)
    if {Step.SYNTHESISE, Step.TRAIN}.isdisjoint(planned):
        return
    if settings.method is Method.SYNTHTUMOUR:
        from synthtumour_bids.synthesis.priors import load_priors

        load_priors(settings.lesion, settings.contrast, settings.priors)
    if _is_trained(job):
        return
    if Step.TRAIN in planned:
        _check_batches(settings)
    if settings.method is Method.SYNTHTUMOUR:
        _check_numbers(job)


def _check_numbers(job: Job) -> None:
    """Count who is there to learn from, preprocessed or not."""
    scans = job.selection.everything
    hosts = {(scan.dataset_name, scan.subject) for scan in scans if scan.role is Role.TUMOURFREE}
    tumours = [scan for scan in scans if scan.role is Role.TUMOUR]
    held_out = job.settings.hold_out
    n_held_out = sum(scan.subject in held_out for scan in tumours)
    # Synthetic tumours alone can be made, and looked at, without any real one.
    lacks_tumours = Step.TRAIN in steps(job.settings) and n_held_out == len(tumours)
    if len(hosts) < FEWEST_HOSTS or lacks_tumours:
        msg = (
            f"Training needs at least {FEWEST_HOSTS} tumour-free participants and 1 tumour scan "
            f"outside --hold-out; found {len(hosts)} tumour-free participants and {len(tumours)} "
            f"tumour scans, {n_held_out} of them held out. Name tumour-free scans with "
            "--tumourfree-dir, or mark them in participants.tsv (--group-column)."
        )
        raise DataError(msg)


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
    from synthtumour_bids.steps import cohort, fabricate, synthesise

    if job.settings.model is not None:
        return False
    if _is_trained(job):
        return True
    if job.settings.method is Method.FABRICATION:
        name, print_ = fabricate.NAME, fabricate.settings_print(job)
        scans = fabricate.sources(job)
    else:
        name, print_ = synthesise.NAME, synthesise.settings_print(job)
        try:
            scans = synthesise.wanted_hosts(job)
        except DataError:  # too few are preprocessed yet
            return False
    return cohort.up_to_date(job, name, print_, scans)


def _state(planned: bool, done: bool) -> str:
    if done:
        return "done"
    return "to do" if planned else "not asked"
