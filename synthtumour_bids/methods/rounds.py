"""Rounds: a senior's pseudo-labels teach the next one, which takes its place.

The last senior that is finished lies where the senior of a run has always been. One of a further
round is trained in a room of its own; the one that it replaces goes to the room of its own round.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Layout, Network
from synthtumour_bids.ledger import COHORT
from synthtumour_bids.methods import corrections, lineage
from synthtumour_bids.methods.base import Method
from synthtumour_bids.segmentation.model_card import CARD, CHECKPOINT, Model, ModelCard
from synthtumour_bids.settings import Step

ROUND = "round"  # a detail of the stamps of seniors of further rounds: which one
NOTE = "rounds"  # the stamp that says how many there are to be
FIELD, TEACHER = "Round", "Teacher"  # of their cards


def to_come(job: Job, method: Method) -> list[Job]:
    """The rounds that a run has to train, as runs that end with each; at least the last one.

    None where it trains nothing.
    """
    if Step.TRAIN not in job.steps:
        return []
    first = min(done(job, method) + 1, job.round)
    return [job.until_round(number) for number in range(first, job.round + 1)]


def done(job: Job, method: Method) -> int:
    """The last of a run's rounds whose senior is finished and still good; 0 for none."""
    for number in range(job.round, 0, -1):
        if lineage.is_finished(job.until_round(number), method, Network.SENIOR):
            return number
    return 0


def note(job: Job) -> None:
    """Note how many rounds a run is to have, for those that go on with it without the flag."""
    if job.round == asked_before(job):
        return
    if job.round > 1:
        job.ledger.mark(COHORT, NOTE, "", number=job.round)
    else:
        job.ledger.clear(COHORT, NOTE)


def asked_before(job: Job) -> int:
    """How many rounds earlier runs of the output folder were to have."""
    stamp = job.ledger.read(COHORT, NOTE)
    return 1 if stamp is None else int(stamp.details["number"])


def reached(job: Job) -> int:
    """Round of the senior of the output folder; 0 where none is finished."""
    stamp = job.ledger.finished(COHORT, Network.SENIOR)
    return 0 if stamp is None else int(stamp.details.get(ROUND, 1))


# ---------------------------------------------------------------------- who teaches whom


def teacher(job: Job) -> Model:
    """The network whose pseudo-labels the senior of this round learns from."""
    if job.round == 1:
        return job.model(Network.JUNIOR)
    before = job.round - 1
    if job.ledger.finished(COHORT, lineage.replaced(before)) is None:
        return job.model(Network.SENIOR)
    return Model(Network.SENIOR, job.layout.round(before))


def validating(job: Job, scans: Iterable[Scan]) -> frozenset[str]:
    """Persons who chose the epoch of the senior before, and so choose those of all after it.

    Parameters
    ----------
    job
        Until this round.
    scans
        Tumour scans that may be learned from.
    """
    if job.round == 1:
        return frozenset()
    told = _details_before(job).get(corrections.VALIDATING)
    if told is None:  # older stamps do not tell
        stems = {name.partition("-")[2] for name in teacher(job).card.validation_cases}
        return frozenset(scan.person for scan in scans if scan.stem in stems)
    return frozenset(scan.person for scan in scans if scan.key in told)


def members(job: Job, network: Network) -> dict[str, str]:
    """Scans that a network has learned from through the weights of the senior that it started from.

    Returns
    -------
    Fingerprints of their preprocessing, by their keys.
    """
    if network is Network.JUNIOR or job.round == 1:
        return {}
    return dict(_details_before(job).get("members", {}))


def _details_before(job: Job) -> Mapping[str, Any]:
    """What the stamp of the senior before tells."""
    stamp = job.ledger.finished(COHORT, lineage.replaced(job.round - 1))
    stamp = stamp or job.ledger.finished(COHORT, Network.SENIOR)
    return {} if stamp is None else stamp.details


# ---------------------------------------------------------------------- rooms


def room(job: Job, network: Network) -> Path:
    """Where a network is trained."""
    further = network is Network.SENIOR and job.round > 1
    return job.layout.round(job.round) if further else job.layout.network(network)


def take_place(job: Job, stamp_it: Callable[[], None]) -> None:
    """Make the senior in the room of this round that of the run; the one before makes room.

    Where this was stopped, the same again completes it.

    Parameters
    ----------
    job
        Of this round.
    stamp_it
        Stamps the senior of the run. It does before its files are in their place, without which the
        stamp does not count: else a stop between the two would cost a training.
    """
    layout, ledger, before = job.layout, job.ledger, job.round - 1
    place, aside = layout.network(Network.SENIOR), layout.round(before)
    stamp = ledger.finished(COHORT, Network.SENIOR)
    if stamp is not None and ledger.finished(COHORT, lineage.replaced(before)) is None:
        shutil.rmtree(aside, ignore_errors=True)
        outputs = [aside / CARD, aside / CHECKPOINT]
        ledger.mark(COHORT, lineage.replaced(before), stamp.fingerprint, outputs, **stamp.details)
        place.rename(aside)
        ledger.forget()
    ledger.clear(COHORT, Network.SENIOR)
    ledger.clear(COHORT, lineage.replaced(job.round))
    shutil.rmtree(place, ignore_errors=True)
    stamp_it()
    layout.round(job.round).rename(place)
    ledger.forget()


def forget_after(job: Job, number: int) -> None:
    """Forget the seniors after a round, which were made with its senior; 0 for the junior."""
    for other in rooms(job.layout):
        if other > number:
            job.ledger.clear(COHORT, lineage.replaced(other))
            shutil.rmtree(job.layout.round(other))


def rooms(layout: Layout) -> list[int]:
    """Rounds that have a room, in their order."""
    names = (path.name for path in layout.rounds.glob("*"))
    return sorted(int(name) for name in names if name.isdecimal())


# ---------------------------------------------------------------------- what is told


def of_card(card: ModelCard | None) -> int:
    """Round of the senior that a card is of; 1 for one of the first round, or of no senior."""
    number = card.details.get(FIELD) if card else None
    return number if isinstance(number, int) else 1


def title(job: Job, network: Network) -> str:
    """What logs call a network that is trained."""
    further = network is Network.SENIOR and job.round > 1
    return called(job.round) if further else network.value


def called(number: int) -> str:
    """What the senior of a round is called beside others."""
    return f"{Network.SENIOR} of round {number}"


def teacher_of(card: ModelCard) -> str:
    """Who made the pseudo-labels of a senior of a further round; empty for other networks."""
    told = card.details.get(TEACHER)
    if of_card(card) == 1 or not isinstance(told, Mapping):
        return ""
    return f"{called(of_card(card) - 1)}, {told.get('Fingerprint')}"


def details(job: Job) -> dict[str, int]:
    """What the stamp of a senior tells of its round; empty in the first."""
    return {} if job.round == 1 else {ROUND: job.round}


def told(job: Job) -> dict[str, Any]:
    """What the card of a senior tells of its round; empty in the first."""
    if job.round == 1:
        return {}
    before = teacher(job).card
    return {
        FIELD: job.round,
        TEACHER: {"Round": of_card(before), "Fingerprint": before.fingerprint},
    }
