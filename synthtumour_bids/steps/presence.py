"""What tumour-free scans look like to the networks, of people whom no network knows."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.wording import listed
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.files import fingerprint
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Layout
from synthtumour_bids.ledger import COHORT
from synthtumour_bids.methods import lineage
from synthtumour_bids.methods.base import Method
from synthtumour_bids.methods.judging import judged
from synthtumour_bids.methods.predictions import predict
from synthtumour_bids.segmentation.presence import FEWEST_PERSONS, Controls
from synthtumour_bids.segmentation.presence_file import (
    PRESENCE,
    read_controls,
    write_controls,
)
from synthtumour_bids.settings import Role, Step
from synthtumour_bids.steps.networks import Networks
from synthtumour_bids.volumes import load_volume

LOGGER = logging.getLogger(__name__)
NAME = "presence"
VERSION = "1"  # changes when the same scans give another calibration
SOURCE = "tumour-free scans"
MEMORY_GB = 2.0  # of one process at 1 mm


@dataclass(frozen=True)
class LikenessTask:
    """One scan whose likeness to a tumour is measured."""

    scan: Scan
    prediction: Path
    networks: Networks
    layout: Layout


def run(job: Job, method: Method) -> list[ScanOutcome]:
    """Segment tumour-free scans of people whom no network knows, and store how that went.

    Fewer than `FEWEST_PERSONS` would tell nothing, and are left alone.
    """
    if job.settings.model is not None:
        return []  # a calibration is stored with the networks
    scans, path = calibrating(job), job.layout.models / PRESENCE
    people = sorted({scan.person for scan in scans})
    if len(people) < FEWEST_PERSONS:
        LOGGER.info(
            "%d tumour-free persons taught no network, fewer than %d: no scan gets a p-value for "
            "the presence of a tumour.",
            len(people),
            FEWEST_PERSONS,
        )
        job.ledger.clear(COHORT, NAME)
        path.unlink(missing_ok=True)
        return []
    if is_done(job):
        return [ScanOutcome(NAME, Step.TRAIN, Status.SKIPPED, of_scan=False)]
    LOGGER.info("%d tumour-free persons calibrate the verdict: %s.", len(people), listed(people))
    job.ledger.clear(COHORT, NAME)
    cards = {name: model.card for name, model in job.networks.items()}
    networks = Networks.of(cards, method, job.settings)
    predicted = predict(job, job.main_network, scans)
    tasks = [
        LikenessTask(result.item, result.value, networks, job.layout)
        for result in predicted
        if result.value is not None
    ]
    results = job.map(
        likeness_of,
        tasks,
        label="Calibrating",
        describe=lambda task: task.scan.key,
        memory_gb=MEMORY_GB,
        stoppable=False,
    )
    outcomes = job.record(NAME, [one for one in predicted if one.failed], lambda scan: scan)
    outcomes += job.record(NAME, results, lambda task: task.scan)
    largest = _by_person((r.item.scan.person, r.value) for r in results if r.value is not None)
    if len(largest) < FEWEST_PERSONS:
        LOGGER.warning("Too few of them could be segmented: no scan gets a p-value.")
        path.unlink(missing_ok=True)
        return outcomes
    card = job.main_network.card
    written = write_controls(job.layout.models, card, Controls(SOURCE, largest))
    if not any(outcome.status is Status.FAILED for outcome in outcomes):
        job.ledger.mark(COHORT, NAME, _fingerprint(job, scans), [written])
    return outcomes


def controls_of(job: Job) -> Controls | None:
    """What is stored with the networks that segment; ``None`` where nothing is."""
    return read_controls(job.models_dir, job.main_network.card)


def calibrating(job: Job) -> list[Scan]:
    """Tumour-free scans of people who taught, hosted or selected no network of this output."""
    known = lineage.learned_from(job)
    free = [*job.preprocessed(Role.HELD_OUT), *job.preprocessed(Role.TUMOURFREE)]
    others = [*free, *job.preprocessed(Role.TUMOUR), *job.preprocessed(Role.ANNOTATED)]
    people = {scan.person for scan in others if scan.key in known}
    return [scan for scan in free if scan.person not in people]


def is_done(job: Job) -> bool:
    """Whether the calibration is that of the senior and of the scans as they are, or needs none."""
    if job.settings.model is not None:
        return True
    scans = calibrating(job)
    if len({scan.person for scan in scans}) < FEWEST_PERSONS:
        return True
    return job.ledger.is_done(COHORT, NAME, _fingerprint(job, scans))


def likeness_of(task: LikenessTask) -> float:
    """Likeness of one scan, mL · SD."""
    networks, layout = task.networks, task.layout
    brain = load_volume(layout.standard_brain(task.scan)).mask
    image, evidence = layout.standard_image(task.scan), networks.evidence[networks.main]
    found = judged(task.prediction, image, brain, networks.lesion, evidence, networks.comparison)
    return found.likeness


def _fingerprint(job: Job, scans: Sequence[Scan]) -> str:
    return fingerprint(
        version=VERSION,
        network=job.main_network.card.fingerprint,
        scans=job.preprocessing_fingerprints(scans),
    )


def _by_person(found: Iterable[tuple[str, float]]) -> dict[str, float]:
    """The largest of each person's scans."""
    largest: dict[str, float] = {}
    for person, likeness in found:
        largest[person] = max(likeness, largest.get(person, 0.0))
    return largest
