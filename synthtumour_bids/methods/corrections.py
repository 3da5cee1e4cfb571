"""Masks that a person has corrected: which count, and what a senior has learned from.

The step of the same name brings them to the template grid and stamps them, so that a run without
``--corrections`` goes on with those that the output folder holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.files import fingerprint, hash_file
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.ledger import COHORT
from synthtumour_bids.methods.learners import held_out_among, learnable
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.settings import Method, Role

STEP = "corrections"
VERSION = "1"  # changes when the same mask is carried otherwise
KIND = "corrected scans"  # of the cases made from them
TIMES = 5  # a corrected scan is drawn as often as this many pseudo-labelled ones; not tuned

# Details of stamps: of a mask that cannot be used, and of a senior.
REFUSED, PREPROCESSING = "refused", "preprocessing"
STANDS_FOR = "stands_for"  # of one carried before: fingerprint of that which cannot take its place
EMPTY = "empty"  # of a mask that says that there is no tumour: its scan teaches by no label
TAUGHT, VALIDATING = "corrections", "validating"
CARD = "Corrections"  # field of the senior's card


def fingerprint_of(path: Path, preprocessing: str) -> str:
    """Hash of all that a corrected mask on the template grid depends on.

    Parameters
    ----------
    path
        The mask; one that cannot be read is told when it is carried.
    preprocessing
        Fingerprint of the scan's preprocessing.
    """
    try:
        mask = hash_file(path)
    except OSError:
        mask = ""
    return fingerprint(version=VERSION, mask=mask, scan=preprocessing)


def in_effect(job: Job) -> dict[str, str]:
    """Fingerprints of the corrected masks that count, by their scans' keys.

    They are those of ``--corrections``, carried to the template grid or not yet, without those
    that cannot be used; where the flag was left out, those that the output folder holds. Where one
    that cannot be used was to take the place of one that was carried, that stays. Those of people
    who are held out, by whatever name, do not count.
    """
    settings, found = job.settings, {}
    if settings.method is not Method.SYNTHTUMOUR:
        return {}
    for scan in learnable(job, Role.TUMOUR):
        record, stamp = job.preprocessing(scan), job.ledger.finished(STEP, scan.key)
        if record is None:
            continue
        current = None
        if settings.corrections is None:
            if stamp and stamp.details.get(PREPROCESSING) == record.fingerprint:
                current = stamp.fingerprint
        elif path := job.selection.corrections.get(scan.key):
            current = fingerprint_of(path, record.fingerprint)
            if stamp and stamp.details.get(STANDS_FOR) == current:
                current = stamp.fingerprint
        refused = stamp and stamp.fingerprint == current and stamp.details.get(REFUSED)
        if current is not None and not refused:
            found[scan.key] = current
    return found


def carried(job: Job) -> dict[str, str]:
    """Those in effect that lie on the template grid: what a senior that is trained now learns."""
    return {
        key: current
        for key, current in in_effect(job).items()
        if job.ledger.is_done(STEP, key, current)
    }


def emptied(job: Job) -> set[str]:
    """Keys of the scans whose corrected masks in effect are empty: there is no tumour to learn."""
    stamps = {key: job.ledger.read(STEP, key) for key in carried(job)}
    return {key for key, stamp in stamps.items() if stamp and stamp.details.get(EMPTY)}


def count_to_teach(job: Job) -> int:
    """How many corrected masks a senior that is trained now is to learn from."""
    return len(in_effect(job).keys() - emptied(job))


def would_teach(job: Job) -> set[str]:
    """Keys of the scans whose masks teach, as far as can be known before a senior is trained.

    Masks of scans that are not preprocessed are taken to be good, and the people who choose its
    epoch to be those who chose that of the one before.
    """
    given = job.selection.corrections
    to_come = {
        scan.key
        for scan in job.selection.everything
        if scan.key in given and job.preprocessing(scan) is None
    }
    stamp = job.ledger.read(COHORT, Network.SENIOR)
    validating = stamp.details.get(VALIDATING, ()) if stamp else ()
    return (to_come | in_effect(job).keys()) - emptied(job) - _of_same_people(job, validating)


def are_still_those(job: Job, details: Mapping[str, Any]) -> bool:
    """Whether a finished senior learned from just the corrected masks that are in effect.

    Parameters
    ----------
    job
        The run; of scans that it does not know, or that are not preprocessed, nothing is asked.
    details
        Of the senior's stamp. Masks of people whose scans chose its epoch would teach nothing, and
        those of people who are held out teach nothing: of none of them is asked.
    """
    now, then = in_effect(job), details.get(TAUGHT, {})
    known = {scan.key for scan in job.selection.everything if job.preprocessing(scan)}
    held_out = {scan.key for scan in held_out_among(job, job.selection.everything)}
    asked = known - held_out - _of_same_people(job, details.get(VALIDATING, ()))
    return all(now.get(key) == then.get(key) for key in asked)


def teachable(job: Job) -> set[str]:
    """Names of the tumour scans whose corrected masks would teach the senior of the output folder.

    Those of people who are held out, or whose scans choose its epoch, would not; nor would others
    that were corrected already. Empty where no senior was trained there, or by another method.
    """
    settings, stamp = job.settings, job.ledger.finished(COHORT, Network.SENIOR)
    if stamp is None or settings.model is not None or settings.method is not Method.SYNTHTUMOUR:
        return set()
    tumours = [scan for scan in job.selection.everything if scan.role is Role.TUMOUR]
    validated_by = job.model(Network.SENIOR).card.validation_cases  # older stamps do not tell
    stems = {case.partition("-")[2] for case in validated_by}
    choosing = {*stamp.details.get(VALIDATING, ())}
    choosing |= {scan.key for scan in tumours if scan.stem in stems}
    without = {scan.key for scan in held_out_among(job, tumours)}
    without |= _of_same_people(job, choosing) | {*stamp.details.get(TAUGHT, ())}
    return {scan.name for scan in tumours if scan.key not in without}


def _of_same_people(job: Job, keys: Collection[str]) -> set[str]:
    """Keys of all scans of the people to whom some belong."""
    persons = job.persons() if keys else {}
    people = {persons[key] for key in keys if key in persons}
    return {*keys, *(key for key, person in persons.items() if person in people)}


# ---------------------------------------------------------------------- what is told of them


def details_of(
    cases: Iterable[Case],
    tumours: Sequence[Scan],
    fingerprints: Mapping[str, str],
    validating: Collection[str] = (),
) -> dict[str, Any]:
    """What the stamp of a senior tells: what it was taught, and who chooses its epoch.

    Parameters
    ----------
    cases
        That it learns from.
    tumours
        Scans that these were made from.
    fingerprints
        Of the corrected masks, by their scans' keys.
    validating
        Further persons who choose the epoch, whatever the cases.
    """
    persons = {person for case in cases if case.validation for person in case.persons}
    keys = sorted(scan.key for scan in tumours if scan.person in persons.union(validating))
    taught = {key: one for key, one in fingerprints.items() if key not in keys}
    return {TAUGHT: taught, VALIDATING: keys}


def card_of(tumours: Sequence[Scan], taught: Collection[str]) -> dict[str, Any]:
    """What the senior's card tells; empty where no mask was corrected."""
    if not taught:
        return {}
    uris = sorted(scan.uri for scan in tumours if scan.key in taught)
    return {CARD: {"Count": len(uris), "TimesDrawn": TIMES, "Scans": uris}}


def count(card: ModelCard | None) -> int:
    """How many corrected masks the network of a card learned from."""
    told = card.details.get(CARD) if card else None
    n = told.get("Count") if isinstance(told, Mapping) else None
    return n if isinstance(n, int) else 0


def scans_of(card: ModelCard) -> set[str]:
    """Names of the scans whose corrected masks the network of a card learned from."""
    told = card.details.get(CARD)
    uris = told.get("Scans", ()) if isinstance(told, Mapping) else ()
    return {PurePosixPath(uri).name.partition(".")[0] for uri in uris}


def told_of(card: ModelCard) -> dict[str, int]:
    """A network's corrected masks for the cards of those that it taught; empty without any."""
    return {"CorrectedMasks": n} if (n := count(card)) else {}


def with_annotation(n: int) -> str:
    """Say what a person drew for the networks: nothing, or corrections of `n` masks."""
    if not n:
        return "without manual annotations"
    return f"with {n} corrected mask{'s' if n > 1 else ''}"
