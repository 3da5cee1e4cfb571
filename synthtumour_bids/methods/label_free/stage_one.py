"""Stage 1: synthetic tumours are drawn into tumour-free brains.

Training samples and shifted-validation samples come from disjoint persons.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.wording import listed
from synthtumour_bids.errors import DataError
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.execution.pool import Result
from synthtumour_bids.files import fingerprint, write_json
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Scratch
from synthtumour_bids.methods import lineage
from synthtumour_bids.methods.base import Method
from synthtumour_bids.methods.label_free import simulated_hosts
from synthtumour_bids.methods.label_free.hosts import Host, whole_brains
from synthtumour_bids.methods.label_free.kept_parameters import keep_parameters, shifted_hosts
from synthtumour_bids.methods.label_free.priors import priors_of
from synthtumour_bids.methods.label_free.recipes import Recipe
from synthtumour_bids.methods.label_free.stage_one_samples import (
    SHIFTED,
    TRAIN,
    DrawTask,
    Sample,
    draw,
)
from synthtumour_bids.methods.learners import learnable
from synthtumour_bids.methods.sample_sheets import SheetSample, draw_sheet
from synthtumour_bids.segmentation.presence import FEWEST_PERSONS
from synthtumour_bids.settings import Role, Settings
from synthtumour_bids.simulation.head import SIMULATION_VERSION
from synthtumour_bids.synthesis.hosts import samples_plan
from synthtumour_bids.synthesis.roles import Roles, assign_roles

LOGGER = logging.getLogger(__name__)
STEP = "synthesise"
NAME = "stage_one"
SIDES = {TRAIN: "for training", SHIFTED: "shifted: these choose the epoch"}
MEMORY_GB = 1.0  # of one process at 1 mm; 0.43 at 2 mm
SYNTHESIS_VERSION = "0.1.0"  # raised when finished networks should learn from other samples


def settings_fingerprint(settings: Settings) -> str:
    """Hash of all settings that stage 1 depends on."""
    return fingerprint(
        version=SYNTHESIS_VERSION,
        preset=settings.preset,
        lesion=settings.lesion,
        contrast=settings.contrast,
        priors=asdict(priors_of(settings)),
        seed=settings.seed,
        resolution=settings.profile.resolution,
        n_train=settings.profile.n_train,
        n_shifted=settings.profile.n_shifted,
    )


def read_samples(job: Job) -> list[Sample]:
    """Stage-1 samples, as they were drawn.

    Raises
    ------
    DataError
        When they were not made yet.
    """
    path = _list_file(job)
    if not path.is_file():
        msg = f"The stage-1 samples are not in {path.parent}; run the synthesise step first."
        raise DataError(msg)
    return [Sample.from_json(one) for one in json.loads(path.read_text(encoding="utf-8"))]


def sides(job: Job, samples: Sequence[Sample]) -> tuple[list[Scan], list[Scan]]:
    """Tumour-free scans of the training samples and of the shifted-validation samples."""
    purposes = {sample.host: sample.purpose for sample in samples}
    hosts = learnable(job, Role.TUMOURFREE)
    train, shifted = (
        [scan for scan in hosts if purposes.get(scan.key) == purpose]
        for purpose in (TRAIN, SHIFTED)
    )
    return train, shifted


def is_drawn(job: Job, method: Method, recipe: Recipe) -> bool:
    """Whether the samples are there and were made from the hosts as they are now."""
    try:
        tasks = _tasks(job, method, recipe)
    except DataError:  # too few are preprocessed yet
        return False
    scans = simulated_hosts.real([task.host for task in tasks])
    current = _fingerprint(job, method)
    if not (lineage.is_made_from(job, NAME, current, scans) and _list_file(job).is_file()):
        return False
    # Those of another work folder, of another run, may be of somebody else.
    hosts = {task.host.scan.key for task in tasks}
    return hosts.issuperset(sample.host for sample in read_samples(job))


def check_drawn(job: Job, method: Method) -> None:
    """Raise what keeps the samples that are there from being learned from.

    Raises
    ------
    DataError
        When they are not there, or not those of this run.
    """
    read_samples(job)
    lineage.made_from(job, NAME, _fingerprint(job, method), learnable(job, Role.TUMOURFREE))


def draw_all(job: Job, method: Method, recipe: Recipe) -> list[ScanOutcome]:
    """Draw the stage-1 samples; where a junior is finished, into its hosts alone.

    Raises
    ------
    DataError
        With fewer than two tumour-free persons preprocessed where heads are not simulated: one
        side must train, one validate.
    """
    tasks = _tasks(job, method, recipe)
    lineage.begin_samples(job, NAME, _list_file(job))
    _tell_roles(tasks)
    if any(simulated_hosts.is_simulated(task.host) for task in tasks):
        simulated_hosts.render_missing(job)
    results = job.map(
        draw,
        tasks,
        label="Stage 1",
        describe=lambda task: task.host.scan.key,
        memory_gb=MEMORY_GB,
    )
    samples = [sample for result in results for sample in result.value or ()]
    for purpose in (TRAIN, SHIFTED):
        if not any(sample.purpose == purpose for sample in samples):
            msg = f"Stage 1 made no {purpose} sample; see the failures above."
            raise DataError(msg)
    write_json(_list_file(job), [sample.to_json() for sample in samples])
    draw_sheet(
        [
            SheetSample.from_sidecar(one.name, SIDES[one.purpose], one.image, one.label)
            for one in samples
        ],
        job.layout,
        NAME,
        "Stage 1: synthetic tumours in tumour-free brains",
    )
    keep_parameters(job, samples)
    used = job.preprocessing_fingerprints(simulated_hosts.real([task.host for task in tasks]))
    failed = sorted({result.item.host.scan.key for result in results if result.failed})
    told: dict[str, Any] = {lineage.FAILED: failed} if failed else {}
    current = _fingerprint(job, method)
    lineage.mark_samples(job, NAME, current, [_list_file(job)], members=used, **told)
    return _outcomes(job, results)


def _outcomes(job: Job, results: Sequence[Result[DrawTask, list[Sample]]]) -> list[ScanOutcome]:
    """Outcomes of the tumour-free scans, and one of all simulated heads."""
    of_heads = [result for result in results if simulated_hosts.is_simulated(result.item.host)]
    of_scans = [result for result in results if result not in of_heads]
    outcomes = job.record(STEP, of_scans, lambda task: task.host.scan)
    if of_heads:
        error = next((result.error for result in of_heads if result.failed), "")
        status = Status.FAILED if error else Status.DONE
        outcomes.append(ScanOutcome(simulated_hosts.NAME, STEP, status, error, of_scan=False))
    return outcomes


def _fingerprint(job: Job, method: Method) -> str:
    """Hash of all that the samples depend on besides the tumour-free scans."""
    settings = job.settings
    current = settings_fingerprint(settings)
    if not simulated_hosts.are_used(job, method):
        return current
    heads = simulated_hosts.count(settings.profile)
    return fingerprint(samples=current, simulation=SIMULATION_VERSION, heads=heads)


def draw_into(job: Job, hosts: Sequence[Host], recipe: Recipe, count: int) -> list[Sample]:
    """Draw `count` training samples into further hosts; none where there is no host.

    Raises
    ------
    DataError
        No sample could be drawn.
    """
    if not hosts:
        return []
    plan = samples_plan([host.scan.key for host in hosts], count)
    folder = job.layout.scratch(Scratch.HEALTHY_HALVES)
    tasks = [
        DrawTask(host, TRAIN, _indices(plan, host.scan.key), folder, recipe, job.settings)
        for host in hosts
    ]
    results = job.map(
        draw,
        [task for task in tasks if task.indices],
        label="Stage 1 in healthy halves",
        describe=lambda task: task.host.scan.key,
        memory_gb=MEMORY_GB,
        stoppable=False,
    )
    samples = [sample for result in results for sample in result.value or ()]
    if not samples:
        raise DataError(f"No synthetic tumour could be drawn: {results[0].error}")
    return samples


def _list_file(job: Job) -> Path:
    return job.layout.scratch(Scratch.STAGE_ONE) / "samples.json"


def _indices(plan: Sequence[tuple[str, int]], key: str) -> tuple[int, ...]:
    return tuple(index for other, index in plan if other == key)


def _tasks(job: Job, method: Method, recipe: Recipe) -> list[DrawTask]:
    """Share the samples out among the hosts; with few samples asked for, not all get some."""
    settings = job.settings
    scans = lineage.known_before(job, method, learnable(job, Role.TUMOURFREE))
    heads: tuple[list[Host], list[Host]] = ([], [])
    if simulated_hosts.are_used(job, method):
        heads = simulated_hosts.sides(job)
    else:
        _check_persons(job, scans)
    roles = _roles(job, method, recipe, scans)
    folder = job.layout.scratch(Scratch.STAGE_ONE)
    by_key = {host.scan.key: host for host in whole_brains(job, scans)}
    tasks = []
    for purpose, keys, simulated, count in (
        (TRAIN, roles.hosts, heads[0], settings.profile.n_train),
        (SHIFTED, roles.selection, heads[1], settings.profile.n_shifted),
    ):
        hosts = [*(by_key[key] for key in keys), *simulated]
        plan = samples_plan([host.scan.key for host in hosts], count)
        tasks += [
            DrawTask(host, purpose, indices, folder, recipe, settings)
            for host in hosts
            if (indices := _indices(plan, host.scan.key))
        ]
    return tasks


def _check_persons(job: Job, hosts: Sequence[Scan]) -> None:
    persons = {scan.person for scan in hosts}
    if len(persons) < 2:
        settings = job.settings
        msg = (
            "Stage 1 needs at least 2 tumour-free participants, one to train on and one to "
            f"validate on; {len(persons)} preprocessed at {settings.profile.resolution:g} mm "
            f"(profile {settings.profile.name}) under {settings.output_dir}. Run --steps "
            "preprocess with this --profile first, name more with --tumourfree-dir, or mark them "
            "in participants.tsv (--group-column)."
        )
        raise DataError(msg)


def _roles(job: Job, method: Method, recipe: Recipe, hosts: Sequence[Scan]) -> Roles:
    """What each scan is for, by its key; those of a finished network keep what they were for.

    Where simulated heads stand on both sides, a single person's scans train.
    """
    validated = _validated(job, method, hosts)
    if validated is None and len({scan.person for scan in hosts}) < 2:
        return Roles(tuple(sorted(scan.key for scan in hosts)), ())
    if validated is None:
        return assign_roles(
            [(scan.key, scan.person) for scan in hosts],
            recipe.fraction_shifted,
            seed=job.settings.seed,
            held_out=len({scan.person for scan in job.preprocessed(Role.HELD_OUT)}),
            fewest=FEWEST_PERSONS,
        )
    # Hosts without a sample are gone, and fewer would be split in another way.
    keys = sorted(scan.key for scan in hosts)
    return Roles(
        tuple(key for key in keys if key not in validated),
        tuple(key for key in keys if key in validated),
    )


def _validated(job: Job, method: Method, hosts: Sequence[Scan]) -> list[str] | None:
    """Keys of the hosts that chose the epoch of a finished network; ``None`` without such one.

    Beside a starter, seniors of earlier rounds have hosts, which are told with their samples.
    """
    told = lineage.detail_of_junior(job, method, SHIFTED)
    if isinstance(told, list):
        return told
    if lineage.earlier_senior(job, method) is None:
        return None
    shifted = shifted_hosts(job)
    return [scan.key for scan in hosts if scan.uri in shifted]


def _tell_roles(tasks: Sequence[DrawTask]) -> None:
    """Log which tumour-free persons teach and which choose the epoch."""
    real = [task for task in tasks if not simulated_hosts.is_simulated(task.host)]
    for purpose, what in ((TRAIN, "host training samples"), (SHIFTED, "choose the epoch")):
        people = sorted({task.host.scan.person for task in real if task.purpose == purpose})
        if people:
            LOGGER.info("%d tumour-free persons %s: %s.", len(people), what, listed(people))
