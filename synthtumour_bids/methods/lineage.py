"""Which finished network is still good: by its settings, and by the scans it learned from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.ledger import COHORT, Stamp
from synthtumour_bids.methods import corrections
from synthtumour_bids.methods.base import Method
from synthtumour_bids.methods.learners import held_out_among

RETRAINING = "retraining"  # the stamp of a --retrain that is not finished
FAILED = "failed"  # a detail of samples: keys of the scans that nothing could be made of
UNDRAWN = "undrawn"  # another: of those that taught, though no sample could be drawn into them
BESIDE = "beside"  # a detail of samples: a stamp beside them in the work folder says the same
TAKEN = "taken"  # a detail of a network that was not trained here, and learned from no scan


def finished(job: Job, name: str, fingerprint: str) -> Stamp | None:
    """Stamp of a result of the cohort that is still good.

    It is, when it was made with the same settings, no scan it was made from has changed, and
    nobody whom it was made from is held out. Scans that came or went since do not call
    for training anew; ``--retrain`` does.
    """
    stamp = job.ledger.finished(COHORT, name)
    if stamp is None or stamp.fingerprint != fingerprint:
        return None
    members = stamp.details["members"]
    known = [scan for scan in job.selection.everything if scan.key in members]
    if held_out_among(job, known):
        return None
    now = job.preprocessing_fingerprints(known)
    return stamp if all(members[key] == fingerprint for key, fingerprint in now.items()) else None


def begin_samples(job: Job, name: str, list_file: Path) -> None:
    """Forget samples, and remove the list of them, before their files are written over."""
    for ledger in (job.ledger, job.scratch_ledger):
        ledger.clear(COHORT, name)
    list_file.unlink(missing_ok=True)


def mark_samples(
    job: Job, name: str, fingerprint: str, outputs: Sequence[Path], **details: Any
) -> None:
    """Record that samples are made, beside them in the work folder and in the output folder."""
    for ledger in (job.scratch_ledger, job.ledger):
        ledger.mark(COHORT, name, fingerprint, outputs, **{BESIDE: True, **details})


def lie_here(job: Job, name: str) -> bool:
    """Whether the samples that the output folder tells of are those in this job's work folder.

    Jobs with work folders of their own share an output folder, and each may have made samples with
    other settings or of other scans. Samples of versions before have no stamp beside them.
    """
    here, told = job.scratch_ledger.read(COHORT, name), job.ledger.read(COHORT, name)
    if here is None:
        return told is None or BESIDE not in told.details
    return told is not None and (here.fingerprint, here.details) == (
        told.fingerprint,
        told.details,
    )


def _samples(job: Job, name: str, fingerprint: str) -> Stamp | None:
    """Stamp of samples in the work folder that are still good."""
    return finished(job, name, fingerprint) if lie_here(job, name) else None


def is_made_from(job: Job, name: str, fingerprint: str, scans: Iterable[Scan]) -> bool:
    """Whether samples are still good and were made from just these scans."""
    stamp = _samples(job, name, fingerprint)
    if stamp is None or stamp.details.get(FAILED) or stamp.details.get(UNDRAWN):
        return False
    return bool(stamp.details["members"] == job.preprocessing_fingerprints(scans))


def made_from(job: Job, name: str, fingerprint: str, scans: Sequence[Scan]) -> list[Scan]:
    """Tell which scans the samples that are there were made from.

    Parameters
    ----------
    job, name, fingerprint
        As for :func:`finished`.
    scans
        That may be learned from; more than then do no harm.

    Raises
    ------
    DataError
        When the samples were made with other settings, or from scans that are not among these.
    """
    stamp = _samples(job, name, fingerprint)
    if stamp is not None:
        members, failed = stamp.details["members"], stamp.details.get(FAILED, ())
        if members.keys() - {*failed} <= {scan.key for scan in scans}:
            return [scan for scan in scans if scan.key in members and scan.key not in failed]
    msg = (
        f"The samples in {job.settings.work_dir} are not those of this run: they were made with "
        "other settings, from scans that have changed or are left out or held out now, or not to "
        "the end. Make them anew: --steps synthesise train."
    )
    raise DataError(msg)


def is_finished(job: Job, method: Method, network: Network) -> bool:
    """Whether a network is trained and still good, or was given."""
    if job.settings.model is not None:
        return True
    return not starts_anew(job) and _stamp(job, method, network) is not None


def is_trained(job: Job, method: Method) -> bool:
    """Whether there is nothing left to train."""
    return all(is_finished(job, method, network) for network in Network)


def starts_anew(job: Job) -> bool:
    """Whether ``--retrain`` is still to remove the networks; a run that goes on keeps the new."""
    return job.settings.retrain and job.ledger.read(COHORT, RETRAINING) is None


def replaced(number: int) -> str:
    """Name of the stamp of a round's senior whose place that of a later round has taken."""
    return f"{Network.SENIOR}-{number}"


def earlier_senior(job: Job, method: Method) -> Stamp | None:
    """Stamp of the finished senior that the rounds of a run go on from."""
    earlier = (
        _stamp(job.until_round(number), method, Network.SENIOR)
        for number in range(job.round - 1, 0, -1)
        if not starts_anew(job)
    )
    return next(filter(None, earlier), None)


def known_before(job: Job, method: Method, scans: Sequence[Scan]) -> list[Scan]:
    """Those of the scans that a finished network has learned from; all, where none was trained.

    What is still to be made for a senior is made from these, or the sides of its validation would
    not be those of the junior, or of the senior that it starts from.
    """
    stamp = _junior(job, method) or earlier_senior(job, method)
    if stamp is None:
        return list(scans)
    return [scan for scan in scans if scan.key in stamp.details.get("members", ())]


def learned_from(job: Job) -> set[str]:
    """Keys of all scans that the networks of the output folder have learned from."""
    stamps = (job.ledger.read(COHORT, network) for network in Network)
    return {key for stamp in stamps if stamp for key in stamp.details.get("members", ())}


def detail_of_junior(job: Job, method: Method, name: str) -> object | None:
    """What the material of a junior told that was trained here; ``None`` where none is finished."""
    stamp = _junior(job, method)
    return None if stamp is None else stamp.details.get(name)


def _junior(job: Job, method: Method) -> Stamp | None:
    """Stamp of a finished junior that was trained here."""
    stamp = None if starts_anew(job) else _stamp(job, method, Network.JUNIOR)
    return None if stamp is None or stamp.details.get(TAKEN) else stamp


def _stamp(job: Job, method: Method, network: Network) -> Stamp | None:
    recipe = method.fingerprint(job, network)
    stamp = finished(job, network, recipe)
    if network is Network.JUNIOR:
        return stamp
    stamp = stamp or finished(job, replaced(job.round), recipe)
    return stamp if stamp and corrections.are_still_those(job, stamp.details) else None
