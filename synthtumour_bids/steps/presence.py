"""What brains without a tumour look like to the networks, none of which knows them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.wording import listed
from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.execution.pool import Result
from synthtumour_bids.execution.progress import Progress
from synthtumour_bids.files import fingerprint
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Scratch
from synthtumour_bids.ledger import COHORT
from synthtumour_bids.methods import control_heads, lineage
from synthtumour_bids.methods.base import Method
from synthtumour_bids.methods.judging import Seen, likeness_of
from synthtumour_bids.methods.predictions import predict
from synthtumour_bids.methods.witness import Witness, find_witness, witness_beside
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.segmentation.presence import FEWEST_PERSONS, PEOPLE, Controls
from synthtumour_bids.segmentation.presence_file import (
    PRESENCE,
    read_controls,
    write_controls,
)
from synthtumour_bids.settings import Role, Step
from synthtumour_bids.steps.networks import Networks

LOGGER = logging.getLogger(__name__)
NAME = "presence"
VERSION = "2"  # changes when the same scans give another calibration
MEMORY_GB = 2.0  # of one process at 1 mm


def run(job: Job, method: Method) -> list[ScanOutcome]:
    """Segment brains without a tumour that no network knows, and store how that went.

    They are those of the cohort. Where these are fewer than `FEWEST_PERSONS`, the starter that is
    the junior tells whether there is a tumour, or, without one, the senior, which simulated heads
    calibrate.
    """
    if job.settings.model is not None:
        return []  # a calibration is stored with the networks
    scans, path = calibrating(job), job.layout.models / PRESENCE
    people = sorted({scan.person for scan in scans})
    _forget_failures(job, scans if _by_people(scans) else ())
    if is_done(job):
        if _by_people(scans) or _by_heads(job) or _of_before(job) or _of_others(job):
            return [ScanOutcome(NAME, Step.TRAIN, Status.SKIPPED, of_scan=False)]
        LOGGER.info(
            "%d tumour-free persons taught no network, fewer than %d: %s.",
            len(people),
            FEWEST_PERSONS,
            _instead(job),
        )
        job.ledger.clear(COHORT, NAME)
        path.unlink(missing_ok=True)
        return []
    job.ledger.clear(COHORT, NAME)
    networks = Networks.of(_cards(job), method, job.settings)
    if _by_people(scans):
        LOGGER.info(
            "%d tumour-free persons calibrate the verdict: %s.", len(people), listed(people)
        )
        source = PEOPLE
        likeness, outcomes = _of_people(job, networks, scans)
    else:
        LOGGER.info(
            "%d tumour-free persons taught no network, fewer than %d: %d simulated heads calibrate "
            "the verdict.",
            len(people),
            FEWEST_PERSONS,
            job.settings.profile.n_controls,
        )
        source = control_heads.SOURCE
        likeness, outcomes = _of_heads(job, networks), []
    if len(likeness) < FEWEST_PERSONS:
        LOGGER.warning("Too few of them could be segmented: %s.", _instead(job))
        path.unlink(missing_ok=True)
        return outcomes
    card = job.main_network.card
    written = write_controls(job.layout.models, card, Controls(source, likeness))
    if not any(outcome.status is Status.FAILED for outcome in outcomes):
        job.ledger.mark(COHORT, NAME, _fingerprint(job, scans), [written])
    return outcomes


def _forget_failures(job: Job, scans: Sequence[Scan]) -> None:
    """Clear failures of all but these scans: they calibrate no more, so nobody tries them again."""
    tried = {scan.key for scan in scans}
    for scan in job.selection.everything:
        if scan.key not in tried:
            job.ledger.clear_failure(NAME, scan.key)


def _of_before(job: Job) -> bool:
    """Whether simulated heads calibrated the senior although a starter is beside it.

    So it was in earlier versions, and what is finished stays as it is.
    """
    stored = _stored(job)
    return _beside(job) is not None and stored is not None and stored.source == control_heads.SOURCE


def _of_others(job: Job) -> bool:
    """Whether people calibrated the senior none of whom is in this run, which is about others."""
    stored = _stored(job)
    here = {*job.persons().values(), *(scan.person for scan in job.selection.everything)}
    return stored is not None and stored.source == PEOPLE and here.isdisjoint(stored.likeness)


def _stored(job: Job) -> Controls | None:
    """The senior's calibration that is there; ``None`` also for one that cannot be used."""
    with suppress(UnavailableError):
        return read_controls(job.layout.models, job.main_network.card)
    return None


def _of_people(
    job: Job, networks: Networks, scans: Sequence[Scan]
) -> tuple[dict[str, float], list[ScanOutcome]]:
    """How much like a tumour each person's scans are, and what became of them.

    They are judged as patients' are: parts of the senior's mask that the starter upholds stay.
    """
    layout = job.layout
    names = [networks.main] if networks.starter is None else [networks.main, networks.starter]
    predicted = [predict(job, job.networks[name], scans) for name in names]
    failed: list[Result[Scan, Path]] = []
    seen: dict[Scan, Seen] = {}
    for scan, *results in zip(scans, *predicted, strict=True):
        failed += [one for one in results if one.failed][:1]
        found = [
            _seen(
                networks, name, one.value, layout.standard_image(scan), layout.standard_brain(scan)
            )
            for name, one in zip(names, results, strict=True)
            if one.value is not None
        ]
        if len(found) == len(names):
            seen[scan] = replace(found[0], upheld_by=found[1] if len(found) > 1 else None)
    judged = _likeness(job, list(seen.values()))
    results = [
        Result(scan, one.value, one.error, one.trace)
        for scan, one in zip(seen, judged, strict=True)
    ]
    outcomes = job.record(NAME, failed, lambda scan: scan)
    outcomes += job.record(NAME, results, lambda scan: scan)
    values = ((one.item.person, one.value) for one in results if one.value is not None)
    return _by_person(values), outcomes


def _of_heads(job: Job, networks: Networks) -> dict[str, float]:
    """How much like a tumour each simulated head is; those that fail are told of and left out."""
    from synthtumour_bids.segmentation.prediction import iter_predict

    heads = [one.item.path for one in control_heads.rendered(job) if not one.failed]
    images = {path.stem: path for path in heads}
    seen: dict[str, Path] = {}
    job.rest()
    with Progress("Segmenting (simulated heads)", len(images)) as progress:
        for one in iter_predict(
            job.main_network.folder,
            images,
            job.layout.scratch(Scratch.PREDICTIONS, "controls"),
            device=job.settings.device,
            mirroring=True,
            nprocs=job.settings.nprocs,
        ):
            if one.path is not None:
                seen[one.name] = one.path
            else:
                LOGGER.warning("Simulated head %s: %s", one.name, one.error)
            progress.advance(one.name)
    results = _likeness(
        job,
        [_seen(networks, networks.main, path, images[name], None) for name, path in seen.items()],
    )
    found = zip(seen, results, strict=True)
    return {name: one.value for name, one in found if one.value is not None}


def _seen(networks: Networks, name: str, prediction: Path, image: Path, brain: Path | None) -> Seen:
    """What a network has seen, to be judged as its masks are."""
    return Seen(
        prediction, image, brain, networks.lesion, networks.evidence[name], networks.comparison
    )


def _likeness(job: Job, seen: Sequence[Seen]) -> list[Result[Seen, float]]:
    return job.map(
        likeness_of,
        seen,
        label="Calibrating",
        describe=lambda one: one.image.name,
        memory_gb=MEMORY_GB,
        stoppable=False,
    )


def witness_of(job: Job) -> Witness:
    """The network that tells whether the scans of a run have a tumour."""
    return find_witness(job.models_dir, _cards(job))


def _beside(job: Job) -> Witness | None:
    """The starter that is the junior, where it brings its calibration."""
    return witness_beside(job.layout.models, _cards(job))


def _cards(job: Job) -> dict[str, ModelCard]:
    return {name: model.card for name, model in job.networks.items()}


def _instead(job: Job) -> str:
    """Say what tells whether there is a tumour, where neither people nor the run's own heads do."""
    beside = _beside(job)
    if beside is None or beside.controls is None:
        return "no scan gets a p-value for the presence of a tumour"
    n, source = len(beside.controls.likeness), beside.controls.source
    return (
        f"the starter, calibrated by {n} {source}, tells whether there is a tumour, and not the "
        "senior"
    )


def calibrating(job: Job) -> list[Scan]:
    """Tumour-free scans of people who taught, hosted or selected no network of this output.

    A copy of a patient's scan under the name of somebody without a tumour is none.
    """
    known = lineage.learned_from(job)
    free = [*job.preprocessed(Role.HELD_OUT), *job.preprocessed(Role.TUMOURFREE)]
    patients = [*job.preprocessed(Role.TUMOUR), *job.preprocessed(Role.ANNOTATED)]
    others = {scan.person for scan in patients}
    others |= {scan.person for scan in free if scan.key in known}
    return [scan for scan in free if scan.person not in others]


def is_done(job: Job) -> bool:
    """Whether the calibration is the senior's, by brains as they are, or there is to be none."""
    if job.settings.model is not None:
        return True
    scans = calibrating(job)
    if not (_by_people(scans) or _by_heads(job)):
        return True
    return job.ledger.is_done(COHORT, NAME, _fingerprint(job, scans))


def _by_people(scans: Sequence[Scan]) -> bool:
    return len({scan.person for scan in scans}) >= FEWEST_PERSONS


def _by_heads(job: Job) -> bool:
    """Whether simulated heads calibrate; networks of before stay as they are, without a verdict."""
    if _beside(job) is not None:
        return False
    return control_heads.possible(job.settings) and job.main_network.card.calibration is not None


def _fingerprint(job: Job, scans: Sequence[Scan]) -> str:
    network = job.main_network.card.fingerprint
    if not _by_people(scans):
        heads = control_heads.heads_of(job.settings, Path())
        return fingerprint(version=VERSION, network=network, heads=[str(one) for one in heads])
    return fingerprint(
        version=VERSION, network=network, scans=job.preprocessing_fingerprints(scans)
    )


def _by_person(found: Iterable[tuple[str, float]]) -> dict[str, float]:
    """The largest of each person's scans."""
    largest: dict[str, float] = {}
    for person, likeness in found:
        largest[person] = max(likeness, largest.get(person, 0.0))
    return largest
