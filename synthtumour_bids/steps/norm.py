"""How bright people without a tumour are: those that the networks have learned from."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.bids.derivatives import remove_outputs
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.execution.progress import Progress
from synthtumour_bids.files import fingerprint
from synthtumour_bids.job import Job
from synthtumour_bids.ledger import COHORT
from synthtumour_bids.methods import lineage
from synthtumour_bids.methods.comparison import Comparison
from synthtumour_bids.segmentation.norm import FEWEST_PEOPLE, Norm
from synthtumour_bids.segmentation.norm_file import ABOUT, NORM, StoredNorm, find_norm, write_norm
from synthtumour_bids.segmentation.other_side import brightness_of
from synthtumour_bids.segmentation.other_side_rules import OtherSide
from synthtumour_bids.settings import Role, Step
from synthtumour_bids.volumes import HEADER_ERRORS, VOXEL_ERRORS, Volume, load_volume

LOGGER = logging.getLogger(__name__)
NAME = "norm"
VERSION = "1"  # changes when the same scans give another norm


def run(job: Job) -> list[ScanOutcome]:
    """Store how bright the tumour-free people are that taught, hosted or selected a network.

    That is done once for each senior, whichever scans a later run is about.
    """
    rules = _rules(job)
    if job.settings.model is not None or rules is None:
        return []  # a norm is stored with the networks
    network = job.main_network.card.fingerprint
    current = fingerprint(version=VERSION, rules=asdict(rules), network=network)
    if job.ledger.is_done(COHORT, NAME, current):
        return [_outcome(Status.SKIPPED)]
    _forget_another(job.layout.models, rules, network)
    scans = people_of(job)
    if len(scans) < FEWEST_PEOPLE:
        return []
    job.ledger.clear(COHORT, NAME)
    norm = Norm.of(_brains(job, scans, rules))
    if norm is None:
        LOGGER.warning("Too few tumour-free scans could be used: nothing is compared with them.")
        job.ledger.mark(COHORT, NAME, current)
        return []
    written = write_norm(job.layout.models, norm, rules, network)
    job.ledger.mark(COHORT, NAME, current, written)
    LOGGER.info("How bright brains are without a tumour was told from %d people's.", norm.people)
    return [_outcome(Status.DONE)]


def _forget_another(models: Path, rules: OtherSide, network: str) -> None:
    """Remove a norm of another senior: those whom it is of may be held out now."""
    if not (models / ABOUT).exists():
        return
    with suppress(UnavailableError):
        if find_norm(models, rules, network) is not None:
            return
    remove_outputs([models / NORM])


def norm_of(job: Job) -> StoredNorm | None:
    """Norm that the masks of a run are compared with; ``None`` where there is none."""
    card = job.main_network.card
    return find_norm(
        job.models_dir, Comparison.of(job.settings, card.lesion).rules, card.fingerprint
    )


def people_of(job: Job) -> list[Scan]:
    """One scan of each tumour-free person that taught, hosted or selected a network.

    Nobody is among them who is a patient, or held out, by another name.
    """
    known = lineage.learned_from(job)
    roles = Role.TUMOUR, Role.ANNOTATED, Role.HELD_OUT
    others = {scan.person for role in roles for scan in job.preprocessed(role)}
    people: dict[str, Scan] = {}
    for scan in job.preprocessed(Role.TUMOURFREE):
        if scan.key in known and scan.person not in others:
            people.setdefault(scan.person, scan)
    return list(people.values())


def _rules(job: Job) -> OtherSide | None:
    """How masks are compared with the other side, also where this run keeps them."""
    comparison = Comparison.of(job.settings, job.settings.lesion)
    return comparison.rules or comparison.weighing


def _brains(
    job: Job, scans: Sequence[Scan], rules: OtherSide
) -> Iterator[tuple[Volume, NDArray[np.bool_]]]:
    """Brightness and brain masks, one person after the other; who cannot be read is left out."""
    grid: tuple[int, ...] | None = None
    with Progress("Brightness without a tumour", len(scans)) as progress:
        for scan in scans:
            try:
                image = load_volume(job.layout.standard_image(scan))
                brain = load_volume(job.layout.standard_brain(scan)).mask
                brightness = brightness_of(image.data, brain, image.affine, rules)
                if brightness is None or brightness.shape != (grid or brightness.shape):
                    raise ValueError("it has no spread of brightness, or another grid")
            except (*HEADER_ERRORS, *VOXEL_ERRORS) as error:
                LOGGER.warning("%s tells nothing of brightness: %s", scan.key, error)
            else:
                grid = brightness.shape
                yield replace(image, data=brightness), brain
            progress.advance(scan.key)


def _outcome(status: Status) -> ScanOutcome:
    return ScanOutcome(NAME, Step.TRAIN, status, of_scan=False)
