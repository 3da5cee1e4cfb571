"""All pairs of image and label that fabrication learns from, and how they were made."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from synthtumour_bids.bids.classes import TumourClass
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError, advice
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.files import fingerprint, write_json
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Scratch
from synthtumour_bids.methods import lineage
from synthtumour_bids.methods.fabrication.checks import check_numbers
from synthtumour_bids.methods.fabrication.coarse_samples import (
    Sample,
    Source,
    draw_samples,
    store_sources,
    stored_name,
)
from synthtumour_bids.methods.fabrication.refined_samples import (
    QUALITY,
    Side,
    read_records,
    refine_samples,
    train_fabricator,
)
from synthtumour_bids.methods.fabrication.stored_scans import StoredScan
from synthtumour_bids.methods.sample_sheets import SheetSample, draw_sheet
from synthtumour_bids.segmentation.cases import Case, times_for_share
from synthtumour_bids.settings import Role, Step
from synthtumour_bids.synthesis.fabrication.split import Annotated, rare_classes, split_annotated
from synthtumour_bids.synthesis.hosts import split_hosts

LOGGER = logging.getLogger(__name__)
NAME = "fabrication"
TRAIN, VALIDATION = "train", "validation"
SIDES = {TRAIN: "for training", VALIDATION: "these choose the epoch"}
ANNOTATED, COARSE, REFINED = "annotated", "coarse", "refined"
KINDS = {ANNOTATED: "annotated scans", COARSE: "coarse samples", REFINED: "refined samples"}
REAL_SHARE = 1.0  # real scans drawn in training per made one


@dataclass(frozen=True)
class Pair:
    """One pair.

    Attributes
    ----------
    kind
        ``annotated``, ``coarse`` or ``refined``.
    purpose
        ``train`` or ``validation``.
    files
        Image, brain and label.
    """

    kind: str
    purpose: str
    files: StoredScan

    def to_json(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return {"kind": self.kind, "purpose": self.purpose, "scan": self.files.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Pair:
        """Rebuild from what :meth:`to_json` gave, possibly through a file."""
        return cls(data["kind"], data["purpose"], StoredScan.from_json(data["scan"]))


def list_file(job: Job) -> Path:
    """List of all pairs."""
    return job.layout.scratch(Scratch.FABRICATION) / "pairs.json"


def read_pairs(job: Job) -> list[Pair]:
    """All pairs, as they were made.

    Raises
    ------
    DataError
        When they were not made yet.
    """
    path = list_file(job)
    if not path.is_file():
        msg = f"The fabricated samples are not in {path.parent}; run the synthesise step first."
        raise DataError(msg)
    return [Pair.from_json(one) for one in json.loads(path.read_text(encoding="utf-8"))]


def make_pairs(
    job: Job, scans: Sequence[Scan], classes: Sequence[TumourClass], settings_fingerprint: str
) -> list[ScanOutcome]:
    """Draw coarse samples on both sides, train the GAN, refine, and list all pairs.

    Raises
    ------
    DataError
        With too few annotated scans or tumour-free persons preprocessed, or a class that no
        annotation has.
    """
    lineage.begin_samples(job, NAME, list_file(job))
    used = job.preprocessing_fingerprints(scans)
    records, stored = _store(job, scans)
    failed = _failed(records)
    drawn, train, held_out = _coarse_sides(job, stored, classes)
    records += drawn
    # A scan that no sample could be drawn into teaches all the same, itself and by its lesions.
    undrawn = _failed(drawn)
    members = {key: value for key, value in used.items() if key not in {*failed, *undrawn}}
    recipe = fingerprint(settings=settings_fingerprint, members=members)
    fabricator = train_fabricator(job, train, held_out, len(classes), recipe)
    samples = [*train.samples, *held_out.samples]
    refined = refine_samples(job, fabricator, samples)
    path = list_file(job)
    write_json(path, [pair.to_json() for pair in _pairs(train, held_out, refined)])
    show_samples(job, samples, refined)
    folder = job.layout.fabricator
    outputs = [path, folder / QUALITY, *folder.glob("fabricator.pt")]
    told = {key: of for key, of in ((lineage.FAILED, failed), (lineage.UNDRAWN, undrawn)) if of}
    lineage.mark_samples(job, NAME, settings_fingerprint, outputs, members=used, **told)
    return records


def cases(
    pairs: Sequence[Pair], *, refined: bool, pseudo_labelled: Sequence[Case] = ()
) -> list[Case]:
    """Cases of a network: annotated scans and coarse samples, and the refined ones if asked for.

    Half of the draws in training are real: annotated scans and the `pseudo_labelled` cases.
    """
    wanted = [pair for pair in pairs if refined or pair.kind != REFINED]
    training = [pair.kind for pair in wanted if pair.purpose == TRAIN]
    annotated = training.count(ANNOTATED)
    made = len(training) - annotated
    times = times_for_share(annotated + len(pseudo_labelled), made, REAL_SHARE)
    found = []
    for pair in wanted:
        validation = pair.purpose == VALIDATION
        case = pair.files.case(validation=validation, kind=KINDS[pair.kind])
        real = pair.kind == ANNOTATED and not validation
        found.append(replace(case, times=times) if real else case)
    return found + [replace(case, times=times) for case in pseudo_labelled]


def known_cases(job: Job) -> list[Case]:
    """Samples that validate, as far as they are still there: their tumours were drawn."""
    there = list_file(job).is_file() and lineage.lie_here(job, NAME)
    made = read_pairs(job) if there else []
    drawn = [pair for pair in made if pair.kind != ANNOTATED and pair.purpose == VALIDATION]
    found = cases(drawn, refined=True)
    return [c for c in found if all(file.is_file() for file in (*c.images, c.label))]


def validating_persons(job: Job, pairs: Sequence[Pair]) -> set[str]:
    """Persons whose annotated scans validate."""
    validating = [pair for pair in pairs if pair.purpose == VALIDATION]
    return {scan.person for scan in _annotated_scans(job, validating)}


def annotated_images(job: Job, pairs: Sequence[Pair]) -> set[str]:
    """Images of the annotated scans, which need no pseudo-label under another name."""
    return {job.image(scan) for scan in _annotated_scans(job, pairs)} - {""}


def _annotated_scans(job: Job, pairs: Sequence[Pair]) -> list[Scan]:
    names = {pair.files.name for pair in pairs if pair.kind == ANNOTATED}
    return [scan for scan in job.preprocessed(Role.ANNOTATED) if stored_name(scan) in names]


def _store(job: Job, scans: Sequence[Scan]) -> tuple[list[ScanOutcome], list[Source]]:
    """Bring scans to the common scale; those of which that fails are left out."""
    _check_numbers(job, scans)
    results = store_sources(job, _by_role(scans))
    records = job.record(Step.SYNTHESISE, results, lambda task: task.scan)
    stored = [result.value for result in results if result.value is not None]
    _check_numbers(job, [source.scan for source in stored])
    return records, stored


def _failed(records: Sequence[ScanOutcome]) -> list[str]:
    return sorted({record.key for record in records if record.status is Status.FAILED})


def _coarse_sides(
    job: Job, stored: Sequence[Source], classes: Sequence[TumourClass]
) -> tuple[list[ScanOutcome], Side, Side]:
    """Divide scans into training and validation, and draw the coarse samples of both."""
    made = {source.scan.key: source for source in stored}
    scans = [source.scan for source in stored]
    hosts = [(scan.key, scan.person) for scan in scans if scan.role is Role.TUMOURFREE]
    host_sides = split_hosts(hosts, seed=job.settings.seed)
    annotated = [made[scan.key] for scan in scans if scan.role is Role.ANNOTATED]
    annotated_sides = _split_annotated(job, annotated, classes)
    profile = job.settings.profile
    records, sides = [], []
    for host_keys, annotated_keys, count, purpose in (
        (host_sides[0], annotated_sides[0], profile.n_train, TRAIN),
        (host_sides[1], annotated_sides[1], profile.n_shifted, VALIDATION),
    ):
        own_hosts, own_annotated = ([made[k] for k in keys] for keys in (host_keys, annotated_keys))
        results = draw_samples(job, own_hosts, own_annotated, purpose, count)
        records += job.record(Step.SYNTHESISE, results, lambda task: task.host.scan)
        samples = tuple(sample for result in results for sample in result.value or ())
        if not samples:
            msg = f"Fabrication made no {purpose} sample; see the failures above."
            raise DataError(msg)
        files = [tuple(source.stored for source in part) for part in (own_annotated, own_hosts)]
        sides.append(Side(files[0], files[1], samples))
    return records, sides[0], sides[1]


def _by_role(scans: Sequence[Scan]) -> list[Scan]:
    """Hosts first, then annotated scans."""
    return [s for role in (Role.TUMOURFREE, Role.ANNOTATED) for s in scans if s.role is role]


def _check_numbers(job: Job, scans: Sequence[Scan]) -> None:
    with advice("See the failures above."):
        check_numbers(scans, f"preprocessed under {job.settings.output_dir}")


def _split_annotated(
    job: Job, sources: Sequence[Source], classes: Sequence[TumourClass]
) -> tuple[list[str], list[str]]:
    """Keys of the annotated scans on either side; each class stands on both if it can."""
    described = {}
    for source in sources:
        present = np.unique(source.stored.load().classes).tolist()
        described[source.scan.key] = Annotated(source.scan.person, frozenset(present) - {0})
    rare, absent = rare_classes(described, [one.name for one in classes])
    for sentence in rare:
        LOGGER.warning("%s", sentence)
    if absent:
        msg = (
            f"No annotated scan has class {', '.join(absent)} on the grid of "
            f"{job.settings.profile.resolution:g} mm, so it cannot be learned. Where it is drawn "
            "nowhere, take it out of the class tables (--annotated-dir); where it is, but too "
            "small for that grid or at the brain's edge, merge it with another class in masks and "
            "tables, or choose a finer --profile."
        )
        raise DataError(msg)
    with advice("Annotate more persons (--annotated-dir), or merge rare classes."):
        return split_annotated(described, job.settings.seed)


def _pairs(train: Side, held_out: Side, refined: Sequence[StoredScan]) -> list[Pair]:
    pairs = []
    purposes = {}
    for side, purpose in ((train, TRAIN), (held_out, VALIDATION)):
        samples = [sample.files for sample in side.samples]
        purposes.update({files.label: purpose for files in samples})
        pairs += [Pair(ANNOTATED, purpose, files) for files in side.annotated]
        pairs += [Pair(COARSE, purpose, files) for files in samples]
    # A refined sample has its coarse sample's label.
    return pairs + [Pair(REFINED, purposes[files.label], files) for files in refined]


def show_samples(job: Job, samples: Sequence[Sample], refined: Sequence[StoredScan]) -> None:
    """Picture some samples, what refinement made of those that were kept, and all verdicts."""
    after = {scan.label: scan.images[:1] for scan in refined}
    records = {one["Name"]: one for one in read_records(job.layout.models)}
    shown = []
    for sample in samples:
        files, record = sample.files, records[sample.files.name]
        facts = {"host": sample.host, "lesion of": sample.lesion, "refined": _verdict(record)}
        if sample.wanted_ml is not None:
            facts["volume asked for"] = f"{sample.wanted_ml:.1f} mL"
        images = (files.images[0], *after.get(files.label, ()))
        if files.label is not None:
            parameters = {**record["Parameters"], "scores": record.get("Scores", {})}
            group = SIDES[sample.purpose]
            shown.append(SheetSample(files.name, group, images, files.label, facts, parameters))
    draw_sheet(shown, job.layout, NAME, "Fabricated samples")


def _verdict(record: Mapping[str, Any]) -> str:
    """Say what the quality control said of a refined sample."""
    if record["HostIsAnnotated"]:
        return "no: the host has a tumour of its own"
    if "Accepted" not in record:
        return "no: refinement did not help, or could not be judged"
    if record["Accepted"]:
        return "yes, and kept"
    return f"yes, but dropped by the quality control ({', '.join(record['Reasons'])} too low)"
