"""The method, one call a step: from BIDS datasets to segmentations as BIDS derivatives."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from synthtumour_bids.bids.derivatives import check_folders, write_dataset_description
from synthtumour_bids.bids.inputs import collect_scans
from synthtumour_bids.bids.validation import warn_of_input_errors
from synthtumour_bids.errors import DataError, StoppedError, SynthTumourError
from synthtumour_bids.execution.logs import open_run_log
from synthtumour_bids.execution.outcome import Outcome, ScanOutcome, Status
from synthtumour_bids.execution.resources import limit_threads
from synthtumour_bids.execution.temporary import temporary_folder
from synthtumour_bids.settings import Method, Settings, Step
from synthtumour_bids.steps import given_models, plan, scratch
from synthtumour_bids.steps.job import Job

LOGGER = logging.getLogger(__name__)


def run(settings: Settings) -> Outcome | None:
    """Do what the settings ask for.

    Returns
    -------
    What became of every scan and step; ``None`` where nothing was to be computed (dry run,
    methods text alone).

    Raises
    ------
    SynthTumourError
        For everything that stops the whole run: see :mod:`synthtumour_bids.errors`.
    """
    check_folders(settings)
    limit_threads(settings.omp_nthreads)
    given = settings
    settings = given_models.with_teacher(given_models.with_model(settings))
    plan.check_contrast(settings)
    plan.check_template(settings)
    selection = collect_scans(settings)
    if settings.dry_run:
        job = Job(settings, selection, Path(os.devnull))
        plan.check_cohort(job)
        print(plan.table(job))
        return None
    settings = scratch.with_own_work_dir(settings)
    write_descriptions(settings)
    job = Job(settings, selection, open_run_log(given))
    if job.cluster is not None and not settings.boilerplate_only:
        job.cluster.check()
    if plan.checks_input(settings):
        warn_of_input_errors(settings.bids_dir)
    if settings.boilerplate_only:
        from synthtumour_bids.steps import report

        report.write_methods(job)
        return None
    plan.check_gpus(job)
    plan.check_cohort(job)
    given_models.check_teacher(job)
    with temporary_folder(settings.work_dir):
        records = _run_steps(job)
    scratch.clean_work(job, Outcome(tuple(records)))
    return Outcome(tuple(records))


def _run_steps(job: Job) -> list[ScanOutcome]:
    """Run the steps that were asked for, in the method's order."""
    steps = plan.steps(job.settings)
    records: list[ScanOutcome] = []
    try:
        if Step.PREPROCESS in steps:
            from synthtumour_bids.steps import preprocess

            records += preprocess.run(job)
            _give_up_when_nothing_is_left(records)
        if {Step.SYNTHESISE, Step.TRAIN} & set(steps) and not _gives_up(job, records):
            records += _learn(job, steps)
        if Step.SEGMENT in steps and not _gives_up(job, records):
            from synthtumour_bids.steps import segment

            records += segment.run(job)
    except StoppedError:
        raise  # there is no time left
    except SynthTumourError:
        # Tables and pictures of what there is are worth most when something went wrong.
        _report(job, steps)
        raise
    return records + _report(job, steps)


def _learn(job: Job, steps: Sequence[Step]) -> list[ScanOutcome]:
    """Run the steps that one job does for all, unless another job is at it."""
    from synthtumour_bids.steps import fabricate, synthesise, train

    fabrication = job.settings.method is Method.FABRICATION
    records: list[ScanOutcome] = []
    with plan.sole_training(job):
        if Step.SYNTHESISE in steps:
            records += fabricate.run(job) if fabrication else synthesise.run(job)
        if Step.TRAIN in steps and not _gives_up(job, records):
            records += train.run(job)
    return records


def _report(job: Job, steps: Sequence[Step]) -> list[ScanOutcome]:
    if Step.REPORT not in steps:
        return []
    from synthtumour_bids.steps import report

    return report.run(job)


def _gives_up(job: Job, records: Sequence[ScanOutcome]) -> bool:
    """Whether a failure ends the run (``--stop-on-first-crash``): the rest teaches nothing."""
    failed = any(record.status is Status.FAILED for record in records)
    return failed and job.settings.stop_on_first_crash


def _give_up_when_nothing_is_left(records: Sequence[ScanOutcome]) -> None:
    failures = [record for record in records if record.status is Status.FAILED]
    if records and len(failures) == len(records):
        sentences = "\n".join(f"  {record.key}: {record.message}" for record in failures)
        msg = f"None of the {len(records)} scans could be preprocessed:\n{sentences}"
        raise DataError(msg)


def write_descriptions(settings: Settings) -> None:
    """Write ``dataset_description.json`` of the output and of the datasets nested in it."""
    further = plan.further_datasets(settings)
    links = {"raw": settings.bids_dir, **further}
    write_dataset_description(settings.output_dir, links=links)
    for name in further:
        nested = settings.output_dir / "derivatives" / name
        nested.mkdir(parents=True, exist_ok=True)
        write_dataset_description(nested, links=links)
