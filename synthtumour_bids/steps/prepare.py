"""Before the first step: settings resolved, scans found, the run's log and folders begun."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

from synthtumour_bids.bids.description import check_folders, write_dataset_description
from synthtumour_bids.bids.images import MAIN
from synthtumour_bids.bids.inputs import Selection, collect_scans, datasets
from synthtumour_bids.errors import NoRolesError, SynthTumourError
from synthtumour_bids.estimates import DeviceKind, Estimate, estimate
from synthtumour_bids.execution.logs import open_run_log
from synthtumour_bids.execution.resources import has_cuda_device, limit_threads
from synthtumour_bids.job import Job, cluster_of
from synthtumour_bids.ledger import Ledger
from synthtumour_bids.profile_choice import begin_with, choose
from synthtumour_bids.segmentation.model_card import is_bundle
from synthtumour_bids.segmentation.starters import way_out
from synthtumour_bids.settings import Method, Settings, Step
from synthtumour_bids.steps import cautions, preprocess
from synthtumour_bids.steps.given_networks import with_networks
from synthtumour_bids.steps.junior import with_junior
from synthtumour_bids.steps.rounds import with_rounds
from synthtumour_bids.steps.scratch import with_own_work_dir

LOGGER = logging.getLogger(__name__)


def prepare(settings: Settings) -> Job:
    """Resolve the settings and find the scans; nothing is written.

    Raises
    ------
    SynthTumourError
        For folders, networks or scans that cannot be used; see :mod:`synthtumour_bids.errors`.
    """
    check_folders(settings)
    limit_threads(settings.omp_nthreads)
    settings, why = _with_profile(with_networks(settings))
    selection = _selection(settings)
    job = Job(settings, selection, Path(os.devnull), Ledger(settings.output_dir))
    job, junior = with_junior(job)
    job, fewer = with_rounds(job)
    if job.settings.model != settings.model:  # too few scans to learn from
        _, why = _with_profile(job.settings)
    # A cohort's array of jobs, one a label, has some without a mask; a given network is for masks.
    if settings.model is not None or (job.settings.model and not settings.participant_label):
        cautions.refuse_nothing_to_segment(job)
    sentences = (_sentence(why), junior, fewer, _estimate(job).sentence())
    return dataclasses.replace(job, notes=tuple(filter(None, sentences)))


def _selection(settings: Settings) -> Selection:
    try:
        return collect_scans(settings)
    except NoRolesError as error:
        raise NoRolesError(f"{error}{way_out(settings.contrast, settings.lesion)}") from error


def begin(job: Job, given: Settings) -> Job:
    """Describe the output folder, open the log and give the output its own work folder.

    Parameters
    ----------
    job
        As prepared.
    given
        The settings as told, for the log.
    """
    settings = with_own_work_dir(_with_stored_profile(job.settings))
    _write_descriptions(settings)
    log_dir = open_run_log(given)
    for note in job.notes:
        LOGGER.info("%s", note)
    return dataclasses.replace(
        job, settings=settings, log_dir=log_dir, cluster=cluster_of(settings)
    )


@contextmanager
def described(settings: Settings) -> Iterator[None]:
    """See to it that the output folder is described at the end of the block, too.

    Where it was removed meanwhile, what was written since would be taken for somebody else's.
    """
    try:
        yield
    finally:
        # A full disk, or a dataset that is gone, is told of by what it stopped.
        with suppress(OSError, SynthTumourError):
            if settings.output_dir.is_dir():
                _write_descriptions(_with_stored_profile(settings))


def _with_profile(settings: Settings) -> tuple[Settings, str]:
    """Settle the profile, and say why it is that one."""
    if settings.model is not None:
        name, resolution = settings.profile.name, settings.profile.resolution
        if is_bundle(Path(settings.model)):
            return settings, f"{settings.model}: works on a grid of {resolution:g} mm."
        return settings, f"profile {name}: the model was trained with it."
    if settings.profile_given:
        return settings, f"profile {settings.profile.name}: asked for."
    profile, why = choose(
        settings.output_dir, lambda: _kind(settings) == "cuda", nprocs=settings.nprocs
    )
    return dataclasses.replace(settings, profile=profile), why


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _estimate(job: Job) -> Estimate:
    """What the whole run takes."""
    settings = job.settings
    return estimate(
        settings.profile,
        sum(preprocess.is_needed(job, scan) for scan in job.selected()),
        _kind(settings),
        settings.nprocs,
        trains=Step.TRAIN in job.steps,
        trains_junior=settings.method is Method.FABRICATION
        or not isinstance(settings.junior, Path),
        rounds=job.round,
    )


def _kind(settings: Settings) -> DeviceKind:
    """Kind of the device that networks run on, as far as can be told without loading torch."""
    if settings.device == "auto":
        return "cuda" if has_cuda_device() else "cpu"
    return "cuda" if settings.device.startswith("cuda") else cast(DeviceKind, settings.device)


def _with_stored_profile(settings: Settings) -> Settings:
    """Store the profile that an output folder is begun with; the first of several jobs decides."""
    if settings.model is not None:
        return settings
    stored = begin_with(settings.output_dir, settings.profile)
    return settings if settings.profile_given else dataclasses.replace(settings, profile=stored)


def _write_descriptions(settings: Settings) -> None:
    """Write ``dataset_description.json`` of the output and of the datasets nested in it."""
    further = {one.name: one.root for one in datasets(settings) if one.name != MAIN}
    links = {"raw": settings.bids_dir, **further}
    anonymous = settings.anonymous_paths
    write_dataset_description(settings.output_dir, links=links, anonymous=anonymous)
    for name in further:
        nested = settings.output_dir / "derivatives" / name
        nested.mkdir(parents=True, exist_ok=True)
        write_dataset_description(nested, links=links, anonymous=anonymous)
