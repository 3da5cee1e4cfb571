"""The method, one line a step: from BIDS datasets to segmentations as BIDS derivatives."""

from __future__ import annotations

from dataclasses import replace

from synthtumour_bids.execution.outcome import Outcome
from synthtumour_bids.execution.streams import say
from synthtumour_bids.execution.temporary import temporary_folder
from synthtumour_bids.execution.workers import Workers
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.methods import rounds
from synthtumour_bids.methods.base import Method
from synthtumour_bids.methods.registry import method_of_run
from synthtumour_bids.settings import Settings, Step
from synthtumour_bids.steps import (
    cautions,
    checks,
    corrections,
    dry_run,
    held_out,
    norm,
    preprocess,
    presence,
    report,
    scratch,
    segment,
    spaces,
    train,
)
from synthtumour_bids.steps.prepare import begin, described, prepare
from synthtumour_bids.steps.sequence import Sequence
from synthtumour_bids.steps.usage import measured
from synthtumour_bids.texts import visible


def run(settings: Settings, method: Method | None = None) -> Outcome | None:
    """Do what the settings ask for.

    Parameters
    ----------
    settings
        Of the run.
    method
        How the material comes about that the networks learn from; left out, the one that the
        settings name, or that the given networks were trained by.

    Returns
    -------
    What became of every scan and step; ``None`` where nothing was to be computed (dry run,
    methods text alone).

    Raises
    ------
    SynthTumourError
        For everything that stops the whole run: see :mod:`synthtumour_bids.errors`.
    """
    job = prepare(settings)  # settings resolved, scans found
    method = method or method_of_run(job)
    checks.refuse(job, method)
    if settings.dry_run:
        cautions.tell(job)
        say(visible(dry_run.table(job, method)))
        return None
    job = begin(job, settings)  # the output folder described, the log opened
    if settings.boilerplate_only:
        report.write_methods(job, method)
        return None
    cautions.tell(job)
    checks.look_around(job)
    with (
        described(job.settings),
        measured(job) as usage,
        temporary_folder(job.settings.work_dir),
        Workers() as workers,
    ):
        job = replace(job, workers=workers)
        do = Sequence(job, usage.during)
        _run_steps(do, job, method)
    scratch.clean_work(job, do.outcome)
    return do.outcome


def _run_steps(do: Sequence, job: Job, method: Method) -> None:
    with do.reporting(report.run, job, method):
        held_out.recognise(job)  # scans that are used for nothing, and whose copies teach nothing
        do(Step.PREPROCESS, preprocess.run, job)  # N4, brain extraction, template grid
        with train.alone(job, method):
            do(Step.SYNTHESISE, method.make_samples, job)  # synthetic tumours in healthy brains
            do(Step.TRAIN, train.run, job, method, Network.JUNIOR)  # a first network learns them
            do(Step.TRAIN, corrections.run, job)  # masks that a person has edited go before
            for so_far in rounds.to_come(job, method):  # the next, its pseudo-labels, and so on
                do(Step.TRAIN, train.run, so_far, method, Network.SENIOR)
            do(Step.TRAIN, train.conclude, job, method)  # how far the last can be trusted
            do(Step.TRAIN, presence.run, job, method)  # what brains without a tumour look like
            do(Step.TRAIN, norm.run, job)  # and how bright they are, where enough people have none
        do(Step.SEGMENT, segment.run, job, method)  # the senior's masks on every scan's own grid
        do(Step.SEGMENT, spaces.run, job)  # and on the grids that other tools want them on
