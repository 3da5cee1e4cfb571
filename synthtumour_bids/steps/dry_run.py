"""``--dry-run``: what a run is going to do, as a table."""

from __future__ import annotations

from contextlib import suppress

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.methods import lineage, rounds
from synthtumour_bids.methods.base import Method
from synthtumour_bids.methods.witness import Witness
from synthtumour_bids.settings import Role, Step
from synthtumour_bids.steps import healthy_twin, preprocess, spaces
from synthtumour_bids.steps.networks import is_judged_by
from synthtumour_bids.steps.presence import witness_of

HEADER = ("participant", "session", "scan", "role", "preprocess", "segment", "further grids")


def table(job: Job, method: Method) -> str:
    """Plan of the run: one line per scan, and the cohort's steps below."""
    fingerprints = _network_fingerprints(job)
    to_train = Step.TRAIN in job.steps and not lineage.is_trained(job, method)
    networks = None if to_train else fingerprints
    scans = sorted(job.selected(), key=lambda scan: scan.key)
    witness = None if networks is None else _witness(job)
    rows = [HEADER, *(_row(job, scan, networks, witness) for scan in scans)]
    cohort = _cohort_lines(job, method)
    return "\n".join([*_aligned(rows), "", _summary(job), *cohort, *job.notes])


def _row(
    job: Job, scan: Scan, networks: dict[str, str] | None, witness: Witness | None
) -> tuple[str, ...]:
    """Row of a scan; `networks` are those to segment with, ``None`` where they will be new."""
    preprocessed = preprocess.is_done(job, scan)
    stamp = job.ledger.finished(Step.SEGMENT, scan.key)
    segmented = (
        stamp is not None
        and stamp.details.get("models") == networks
        and stamp.details.get("keep_mask", job.settings.keep_mask) is job.settings.keep_mask
        and is_judged_by(witness, stamp)
    )
    return (
        f"sub-{scan.subject}",
        f"ses-{scan.session}" if scan.session else "-",
        scan.path.name,
        scan.role.value,
        _state(job, Step.PREPROCESS, preprocessed) if preprocess.is_needed(job, scan) else "-",
        _state(job, Step.SEGMENT, segmented and preprocessed) if scan.role.is_segmented else "-",
        _further_grids(job, scan, segmented and preprocessed),
    )


def _further_grids(job: Job, scan: Scan, segmented: bool) -> str:
    """Grids that the mask is carried to, each with its state."""
    if scan.role is not Role.TUMOUR:
        return "-"
    grids = spaces.planned(job, scan)
    if job.settings.healthy_twin:
        grids = {
            **grids,
            "healthy twin": job.ledger.finished(healthy_twin.STEP, scan.key) is not None,
        }
    told = [
        f"{grid} {_state(job, Step.SEGMENT, segmented and done)}" for grid, done in grids.items()
    ]
    return ", ".join(told) or "-"


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]


def _summary(job: Job) -> str:
    counts = {role: len(job.selected(role)) for role in Role}
    further = "".join(
        f", {counts[role]} {words}"
        for role, words in (
            (Role.HELD_OUT, "tumour-free scans held out"),
            (Role.ANNOTATED, "annotated scans"),
        )
        if counts[role]
    )
    return (
        f"{counts[Role.TUMOUR]} tumour and {counts[Role.TUMOURFREE]} tumour-free scans{further}; "
        f"method {job.settings.method}, profile {job.settings.profile.name}, "
        f"preset {job.settings.preset}."
    )


def _network_fingerprints(job: Job) -> dict[str, str]:
    """Fingerprints of the networks that are there."""
    found = {}
    for name, model in job.networks.items():
        with suppress(UnavailableError):
            found[name] = model.card.fingerprint
    return found


def _witness(job: Job) -> Witness | None:
    with suppress(UnavailableError):
        return witness_of(job)
    return None


def _cohort_lines(job: Job, method: Method) -> list[str]:
    """State of the steps that are done once for all scans."""
    trained = lineage.is_trained(job, method)
    made = job.settings.model is None and (trained or method.has_samples(job))
    states = {"synthesise": _state(job, Step.SYNTHESISE, made)}
    if job.settings.model is not None:
        states |= dict.fromkeys(job.networks, "given")
    else:
        done = lineage.is_finished(job, method, Network.JUNIOR)
        states[Network.JUNIOR] = _state(job, Step.TRAIN, done)
        last = rounds.done(job, method) if done else 0  # seniors are made anew after their junior
        for number in range(1, job.round + 1):
            one = rounds.title(job.until_round(number), Network.SENIOR)
            states[one] = _state(job, Step.TRAIN, number <= last)
    states["report"] = _state(job, Step.REPORT, done=False)  # it is written anew each time
    return [f"{name}: {state}" for name, state in states.items()]


def _state(job: Job, step: Step, done: bool) -> str:
    if done:
        return "done"
    return "to do" if step in job.steps else "not asked"
