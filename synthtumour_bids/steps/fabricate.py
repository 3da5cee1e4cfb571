"""Step 2 of fabrication: pairs of image and label made from a few annotated scans.

Annotated persons and hosts are divided into training and validation; each side gets samples of
its own lesions in its own hosts, first coarse, then refined.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from synthtumour_bids import __version__
from synthtumour_bids.bids.annotations import FEWEST_PERSONS, FEWEST_SCANS
from synthtumour_bids.bids.classes import WHOLE_TUMOUR, TumourClass
from synthtumour_bids.bids.files import write_json
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.execution.stamps import fingerprint, hash_file
from synthtumour_bids.settings import Role
from synthtumour_bids.steps import cohort
from synthtumour_bids.steps.coarse_samples import (
    ANNOTATED_SHARE,
    NAME,
    Sample,
    Source,
    draw_samples,
    store_sources,
    stored_name,
)
from synthtumour_bids.steps.job import Job
from synthtumour_bids.steps.refined_samples import (
    Sides,
    folder,
    gan_settings,
    refine_samples,
    train_fabricator,
)
from synthtumour_bids.steps.stored_scans import StoredScan

LOGGER = logging.getLogger(__name__)
STEP = "synthesise"
PURPOSES = ("train", "validation")
REAL_SHARE = 1.0  # real scans drawn in training per made one


def classes(job: Job) -> tuple[TumourClass, ...]:
    """Tumour classes of the annotations, the same in all of them."""
    annotations = list(job.selection.annotations.values())
    return annotations[0].classes if annotations else WHOLE_TUMOUR


def pairs_file(job: Job) -> Path:
    """List of everything to learn from: annotated scans, coarse and refined samples."""
    return job.settings.work_dir / NAME / "pairs.json"


def settings_print(job: Job) -> str:
    """Fingerprint of all settings that the samples depend on."""
    settings = job.settings
    return fingerprint(
        version=__version__,
        method=settings.method,
        contrast=settings.contrast,
        seed=settings.seed,
        resolution=settings.profile.resolution,
        n_train=settings.profile.n_train,
        n_validation=settings.profile.n_shifted,
        gan=gan_settings(settings).to_json(),
        annotated_share=ANNOTATED_SHARE,
        classes=[one.to_json() for one in classes(job)],
        **({"more_contrasts": settings.more_contrasts} if settings.more_contrasts else {}),
        **({"hold_out": sorted(settings.hold_out)} if settings.hold_out else {}),
        **({"volume": settings.lesion_volume} if settings.lesion_volume else {}),
        **({"place": hash_file(settings.lesion_place)} if settings.lesion_place else {}),
    )


def sources(job: Job) -> list[Scan]:
    """Scans that the samples are made from: all, or those that a finished junior has seen."""
    from synthtumour_bids.steps import train

    scans = [*job.preprocessed(Role.TUMOURFREE), *job.preprocessed(Role.ANNOTATED)]
    return train.known_to_junior(job, scans)


def run(job: Job) -> list[ScanOutcome]:
    """Make the samples, unless they are there or both networks are trained already.

    Raises
    ------
    DataError
        With too few annotated scans or tumour-free persons preprocessed, or a class that no
        annotation has.
    """
    from synthtumour_bids.steps import train

    print_ = settings_print(job)
    trained = all(train.is_finished(job, name) for name in ("junior", "senior"))
    scans = sources(job)
    made = cohort.up_to_date(job, NAME, print_, scans) and pairs_file(job).is_file()
    if trained or made:
        return [ScanOutcome(NAME, STEP, Status.SKIPPED, of_scan=False)]
    used = cohort.members(job, scans)
    records, sides = _coarse_sides(job, scans)
    recipe = fingerprint(settings=print_, members=used)
    fabricator = train_fabricator(job, *sides, len(classes(job)), recipe)
    samples = [sample for side in sides for sample in side.samples]
    refined = refine_samples(job, fabricator, samples)
    path = pairs_file(job)
    write_json(path, _pairs(sides, refined))
    _draw(job, samples, refined)
    outputs = [path, folder(job) / "fabricator.pt", folder(job) / "quality.json"]
    if not any(record.status is Status.FAILED for record in records):
        cohort.mark(job, NAME, print_, used, outputs)
    return records


def _coarse_sides(job: Job, scans: Sequence[Scan]) -> tuple[list[ScanOutcome], tuple[Sides, Sides]]:
    """Divide scans into training and validation, and draw the coarse samples of both."""
    from synthtumour_bids.synthesis.hosts import split_hosts

    hosts, annotated = (
        [scan for scan in scans if scan.role is role] for role in (Role.TUMOURFREE, Role.ANNOTATED)
    )
    _check_numbers(job, hosts, annotated)
    stored = store_sources(job, [*hosts, *annotated])
    records = job.record(STEP, stored, lambda task: task.scan.key)
    made = {result.item.scan.key: result.value for result in stored if result.value is not None}
    hosts = [scan for scan in hosts if scan.key in made]
    annotated = [scan for scan in annotated if scan.key in made]
    _check_numbers(job, hosts, annotated)
    by_side = zip(
        split_hosts([(scan.key, person(scan)) for scan in hosts], seed=job.settings.seed),
        _split_annotated(job, annotated, made),
        (job.settings.profile.n_train, job.settings.profile.n_shifted),
        PURPOSES,
        strict=True,
    )
    sides = []
    for host_keys, annotated_keys, count, purpose in by_side:
        mine = [made[key] for key in host_keys], [made[key] for key in annotated_keys]
        results = draw_samples(job, *mine, purpose, count)
        records += job.record(STEP, results, lambda task: task.host.name)
        samples = [sample for result in results for sample in result.value or ()]
        if not samples:
            msg = f"Fabrication made no {purpose} sample; see the failures above."
            raise DataError(msg)
        files = [tuple(source.scan for source in part) for part in mine]
        sides.append(Sides(files[1], files[0], tuple(samples)))
    return records, (sides[0], sides[1])


def person(scan: Scan) -> str:
    """Who was scanned: two datasets may have a sub-01 each."""
    return f"{scan.dataset_name}/{scan.subject}"


def _check_numbers(job: Job, hosts: Sequence[Scan], annotated: Sequence[Scan]) -> None:
    n_hosts, n_persons = (len({person(scan) for scan in scans}) for scans in (hosts, annotated))
    if n_hosts < 2:
        msg = (
            "Fabrication needs at least 2 tumour-free participants, one to train on and one to "
            f"validate on; {n_hosts} preprocessed under {job.settings.output_dir}. Name more with "
            "--tumourfree-dir, or mark them in participants.tsv (--group-column)."
        )
        raise DataError(msg)
    if len(annotated) < FEWEST_SCANS or n_persons < FEWEST_PERSONS:
        msg = (
            f"Fabrication needs at least {FEWEST_SCANS} annotated scans of at least "
            f"{FEWEST_PERSONS} persons; {len(annotated)} of {n_persons} could be preprocessed "
            f"with their annotations under {job.settings.output_dir} (--annotated-dir); see the "
            "failures above."
        )
        raise DataError(msg)


def _split_annotated(
    job: Job, scans: Sequence[Scan], made: Mapping[str, Source]
) -> tuple[list[str], list[str]]:
    import numpy as np

    from synthtumour_bids.synthesis.fabrication.split import (
        Annotated,
        rare_classes,
        split_annotated,
    )

    described = {}
    for scan in scans:
        present = np.unique(made[scan.key].scan.load().classes).tolist()
        described[scan.key] = Annotated(person(scan), frozenset(present) - {0})
    rare, absent = rare_classes(described, [one.name for one in classes(job)])
    for sentence in rare:
        LOGGER.warning("%s", sentence)
    if absent:
        msg = (
            f"No annotated scan has class {', '.join(absent)}, so it cannot be learned: take it "
            "out of the class tables (--annotated-dir)."
        )
        raise DataError(msg)
    return split_annotated(described, job.settings.seed)


def _pairs(sides: Sequence[Sides], refined: Sequence[StoredScan]) -> list[dict[str, Any]]:
    """List what can be learned from: its kind, its side and its files."""
    pairs = []
    labels = {}
    for side, purpose in zip(sides, PURPOSES, strict=True):
        samples = [sample.files for sample in side.samples]
        labels.update({scan.label: purpose for scan in samples})
        for kind, scans in (("annotated", side.annotated), ("coarse", samples)):
            pairs += [{"kind": kind, "purpose": purpose, "scan": s.to_json()} for s in scans]
    # A refined sample has its coarse sample's label.
    return pairs + [
        {"kind": "refined", "purpose": labels[scan.label], "scan": scan.to_json()}
        for scan in refined
    ]


def _draw(job: Job, samples: Sequence[Sample], refined: Sequence[StoredScan]) -> None:
    """Picture samples before and after refinement, side by side."""
    from synthtumour_bids.steps.pictures import SHOWN, draw_samples

    after = {scan.label: scan for scan in refined}
    shown = [s.files for s in samples if s.files.label in after] or [s.files for s in samples]
    pictures = []
    for number, scan in enumerate(shown[:: max(1, len(shown) * 2 // SHOWN)][: SHOWN // 2], 1):
        for one, word in ((scan, "coarse"), (after.get(scan.label), "refined")):
            if one is not None and one.label is not None:
                pictures.append((one.images[0], one.label, f"{word} {number}"))
    draw_samples(
        pictures,
        job.settings.output_dir / "models" / "fabrication.png",
        "Fabricated samples before and after refinement" if after else "Coarse samples",
    )


def cases(job: Job, *, refined: bool, pseudo_labelled: Sequence[Any] = ()) -> list[Any]:
    """Cases of a network: annotated scans and coarse samples, and the refined ones if asked for.

    Half of the draws in training are real: annotated scans and the `pseudo_labelled` cases.

    Raises
    ------
    DataError
        When the samples were not made yet.
    """
    from synthtumour_bids.segmentation.cases import times_for_share

    pairs = [pair for pair in _read_pairs(job) if refined or pair["kind"] != "refined"]
    training = [pair["kind"] for pair in pairs if pair["purpose"] == "train"]
    annotated = training.count("annotated")
    made = len(training) - annotated
    times = times_for_share(annotated + len(pseudo_labelled), made, REAL_SHARE)
    found = []
    for pair in pairs:
        validation = pair["purpose"] == "validation"
        case = StoredScan.from_json(pair["scan"]).case(validation=validation)
        real = pair["kind"] == "annotated" and not validation
        found.append(replace(case, times=times) if real else case)
    return found + [replace(case, times=times) for case in pseudo_labelled]


def _read_pairs(job: Job) -> list[dict[str, Any]]:
    path = pairs_file(job)
    if not path.is_file():
        msg = f"The fabricated samples are not in {path.parent}; run the synthesise step first."
        raise DataError(msg)
    return json.loads(path.read_text())


def validating_persons(job: Job) -> set[str]:
    """Dataset and subject of those whose annotated scans validate."""
    validating = {
        pair["scan"]["name"]
        for pair in _read_pairs(job)
        if (pair["kind"], pair["purpose"]) == ("annotated", "validation")
    }
    return {
        person(scan) for scan in job.preprocessed(Role.ANNOTATED) if stored_name(scan) in validating
    }


def quality(models_dir: Path) -> dict[str, Any] | None:
    """Rates of the quality control, as recorded with the models; ``None`` without fabrication."""
    path = models_dir / "fabricator" / "quality.json"
    return json.loads(path.read_text()) if path.is_file() else None
