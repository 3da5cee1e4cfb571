"""How bright people without a tumour are: those that the networks have learned from."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.execution.progress import Progress
from synthtumour_bids.files import fingerprint
from synthtumour_bids.job import Job
from synthtumour_bids.ledger import COHORT
from synthtumour_bids.methods import lineage
from synthtumour_bids.methods.comparison import Comparison
from synthtumour_bids.preprocessing.reading import VOXEL_ERRORS
from synthtumour_bids.segmentation.norm import FEWEST_PEOPLE, Norm
from synthtumour_bids.segmentation.norm_file import ABOUT, NORM, StoredNorm, find_norm, write_norm
from synthtumour_bids.segmentation.other_side import brightness_of
from synthtumour_bids.segmentation.other_side_rules import OtherSide
from synthtumour_bids.settings import Role, Step
from synthtumour_bids.volumes import load_volume

LOGGER = logging.getLogger(__name__)
NAME = "norm"
VERSION = "1"  # changes when the same scans give another norm


def run(job: Job) -> list[ScanOutcome]:
    """Store how bright the tumour-free people are that taught, hosted or selected a network."""
    scans, rules = _scans(job), _rules(job, job.settings.lesion)
    if job.settings.model is not None:
        return []  # a norm is stored with the networks
    if is_done(job):
        known = rules is not None and _are_enough(scans)
        return [_outcome(Status.SKIPPED)] if known else []
    job.ledger.clear(COHORT, NAME)
    for name in (NORM, ABOUT):
        (job.layout.models / name).unlink(missing_ok=True)
    if rules is None or not _are_enough(scans):
        return []
    affine = load_volume(job.layout.standard_image(scans[0])).affine
    norm = Norm.of(_brains(job, scans, rules), affine)
    if norm is None:
        LOGGER.warning("Too few tumour-free scans could be read: nothing is compared with them.")
        return []
    written = write_norm(job.layout.models, norm, rules)
    job.ledger.mark(COHORT, NAME, _fingerprint(job, scans, rules), written)
    LOGGER.info("How bright brains are without a tumour was told from %d people's.", norm.people)
    return [_outcome(Status.DONE)]


def is_done(job: Job) -> bool:
    """Whether the norm is of the people that the networks learned from, or there is to be none."""
    if job.settings.model is not None:
        return True
    scans, rules = _scans(job), _rules(job, job.settings.lesion)
    if rules is None or not _are_enough(scans):
        return job.ledger.read(COHORT, NAME) is None
    return job.ledger.is_done(COHORT, NAME, _fingerprint(job, scans, rules))


def norm_of(job: Job) -> StoredNorm | None:
    """Norm that the masks of a run are compared with; ``None`` where there is none."""
    return find_norm(job.models_dir, _rules(job, job.main_network.card.lesion))


def _scans(job: Job) -> list[Scan]:
    """One scan of each tumour-free person that taught, hosted or selected a network."""
    known = lineage.learned_from(job)
    patients = {scan.person for scan in job.preprocessed(Role.TUMOUR)}
    patients |= {scan.person for scan in job.preprocessed(Role.HELD_OUT)}
    people: dict[str, Scan] = {}
    for scan in job.preprocessed(Role.TUMOURFREE):
        if scan.key in known and scan.person not in patients:
            people.setdefault(scan.person, scan)
    return list(people.values())


def _are_enough(scans: Sequence[Scan]) -> bool:
    return len(scans) >= FEWEST_PEOPLE


def _rules(job: Job, lesion: str) -> OtherSide | None:
    comparison = Comparison.of(job.settings, lesion)
    return comparison.rules or comparison.weighing


def _brains(
    job: Job, scans: Sequence[Scan], rules: OtherSide
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """Brightness and brain masks, one person after the other; who cannot be read is left out."""
    with Progress("Brightness without a tumour", len(scans)) as progress:
        for scan in scans:
            try:
                image = load_volume(job.layout.standard_image(scan))
                brain = load_volume(job.layout.standard_brain(scan)).mask
            except VOXEL_ERRORS as error:
                LOGGER.warning("%s tells nothing of brightness: %s", scan.key, error)
                continue
            brightness = brightness_of(image.data, brain, image.affine, rules)
            if brightness is not None:
                yield brightness, brain
            progress.advance(scan.key)


def _fingerprint(job: Job, scans: Sequence[Scan], rules: OtherSide) -> str:
    return fingerprint(
        version=VERSION, rules=asdict(rules), scans=job.preprocessing_fingerprints(scans)
    )


def _outcome(status: Status) -> ScanOutcome:
    return ScanOutcome(NAME, Step.TRAIN, status, of_scan=False)
