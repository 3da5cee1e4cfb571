"""The page of each participant, also of those for whom something failed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synthtumour_bids import __version__
from synthtumour_bids.bids.images import MAIN
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.execution.pool import Result
from synthtumour_bids.files import read_json
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Layout
from synthtumour_bids.ledger import Failure, Identity, Stop
from synthtumour_bids.preprocessed import Preprocessing
from synthtumour_bids.reports.facts import ROLES
from synthtumour_bids.reports.templates import write_page
from synthtumour_bids.segmentation.presence import UNSURE, Presence
from synthtumour_bids.settings import Role, Step
from synthtumour_bids.steps.change import flags_by_scan, read_changes
from synthtumour_bids.steps.roles_today import is_segmented, roles_today
from synthtumour_bids.steps.t1w import in_t1w

MEMORY_GB = 0.7  # of one process; most of it nireports with what it imports

Person = tuple[str, str]  # the dataset's name, the participant's label


@dataclass(frozen=True)
class Verdict:
    """What became of one scan, in a sentence.

    Attributes
    ----------
    scan
        Its name.
    grade
        ``good``, ``look`` (something is flagged) or ``failed``.
    sentence, flags
        What a person should know.
    """

    scan: str
    grade: str
    sentence: str
    flags: tuple[str, ...] = ()


@dataclass
class PageTask:
    """One participant, with all that was recorded of the scans, whichever job recorded it."""

    person: Person
    layout: Layout
    preprocessed: list[tuple[Identity, Preprocessing]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    t1w_flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of all scans
    change_flags: Mapping[str, Sequence[str]] = field(default_factory=dict)  # of the main dataset's
    roles: dict[str, Role] = field(default_factory=dict)  # of these scans, today
    compared: bool = False  # whether there is a change between sessions to tell of


def write_pages(job: Job) -> list[ScanOutcome]:
    """Write the pages of all participants of this job; return what failed."""
    results = job.map(
        write_participant,
        _tasks(job),
        label="Writing pages",
        describe=lambda task: f"{task.person[0]}/sub-{task.person[1]}",
        memory_gb=MEMORY_GB,
        stoppable=False,
    )
    return [_outcome(result) for result in results if result.failed]


def _outcome(result: Result[PageTask, None]) -> ScanOutcome:
    dataset, subject = result.item.person
    key = f"{dataset}/sub-{subject}"
    return ScanOutcome(key, Step.REPORT, Status.FAILED, result.error, of_scan=False)


def _tasks(job: Job) -> list[PageTask]:
    people = {(scan.dataset_name, scan.subject) for scan in job.selected()}
    people |= {(one.dataset_name, one.subject) for one in job.selection.refused}
    stops = job.ledger.stops()
    flags = {key: found.flags for key, found in in_t1w(job.ledger).items() if found.flags}
    changes, today = read_changes(job), roles_today(job)
    of_change = flags_by_scan(changes)
    compared = {(MAIN, str(one["participant_id"]).removeprefix("sub-")) for one in changes}
    tasks = {
        person: PageTask(
            person,
            job.layout,
            stops=stops,
            t1w_flags=flags,
            change_flags=of_change,
            compared=person in compared,
        )
        for person in sorted(people)
    }
    for who, stamp in job.ledger.of_scans(Step.PREPROCESS):
        if task := tasks.get((who.dataset, who.subject)):
            record = Preprocessing.from_details(stamp.fingerprint, stamp.details)
            task.preprocessed.append((who, record))
            if who.key in today:
                task.roles[who.key] = today[who.key]
    for failure in job.ledger.failures():
        if task := tasks.get((failure.scan.dataset, failure.scan.subject)):
            task.failures.append(failure)
    return [task for task in tasks.values() if task.preprocessed or task.failures]


def write_participant(task: PageTask) -> None:
    """Write one participant's page."""
    from synthtumour_bids.reports.participant import assemble

    layout, (dataset, subject) = task.layout, task.person
    page = layout.page(dataset, subject)
    write_page(
        layout.page_part(dataset, subject, "verdict"),
        "verdict.html",
        verdicts=list(_verdicts(task)),
        stops=task.stops,
        version=__version__,
        group=os.path.relpath(layout.group_page, page.parent),
    )
    methods = layout.methods_text
    write_page(
        layout.page_part(dataset, subject, "methods"),
        "methods.html",
        text=methods.read_text(encoding="utf-8") if methods.is_file() else "",
    )
    errors = [
        {
            "scan": failure.scan.name,
            "step": failure.step,
            "message": failure.message,
            "trace": _trace(layout, failure, page.parent),
        }
        for failure in task.failures
    ]
    errors_part = layout.page_part(dataset, subject, "errors")
    write_page(errors_part, "errors.html", errors=errors, stops=task.stops)
    if not task.compared:
        layout.page_part(dataset, subject, "change").unlink(missing_ok=True)
    assemble(page, subject)


def _trace(layout: Layout, failure: Failure, folder: Path) -> str:
    """Link to the last trace of a failure; empty where it has none."""
    slug = failure.scan.key.replace("/", "__")
    paths: Sequence[Path] = sorted(layout.logs.glob(f"*/crash-{failure.step}-{slug}.txt"))
    return Path(os.path.relpath(paths[-1], folder)).as_posix() if paths else ""


def told(result: Mapping[str, Any]) -> str:
    """Say what was found in a segmented scan, and whether it is a tumour."""
    marked = f"{result['volume_mL']:.1f} mL"
    if result.get("role") == Role.HELD_OUT:
        return f"tumour-free and held out: it taught nothing, and {marked} are marked in it."
    if not result["volume_mL"]:
        return f"segmented; the mask is empty{_although(result)}."
    if result.get("presence_p") is None:
        return f"segmented; {marked} are marked as tumour."
    sentence = {
        Presence.YES: f"segmented; there is a tumour, of {marked}",
        Presence.NO: f"segmented; there is probably no tumour, though {marked} are marked",
        Presence.UNSURE: f"segmented; {marked} are marked, which may be a tumour or not",
    }[Presence(result["tumour_present"])]
    compared = f"{result['presence_persons']} {result['presence_source']}"
    return f"{sentence} (p = {result['presence_p']:.3f}, compared with {compared})."


def _although(result: Mapping[str, Any]) -> str:
    """Say that something was found of which the mask has nothing, if so; for after a word."""
    if UNSURE not in result.get("qc_flags", ()):
        return ""
    network = result.get("presence_network")  # not told by results of before
    found = f"the {network} found what may be a tumour" if network else "there may be a tumour"
    return f", although {found} (p = {result['presence_p']:.3f})"


def _verdicts(task: PageTask) -> Iterator[Verdict]:
    """A sentence on each scan: failures first, as they are what a person must know.

    Nothing more is said of scans without a new mask; what failed later takes nothing from a mask.
    """
    decisive = (Step.PREPROCESS, Step.SEGMENT)
    failed = {failure.scan.key for failure in task.failures if failure.step in decisive}
    for failure in task.failures:
        yield Verdict(failure.scan.name, "failed", f"{failure.step} failed: {failure.message}")
    for who, record in task.preprocessed:
        path = task.layout.logs / "results" / f"{who.record}.json"
        role = task.roles.get(who.key, record.role)
        sentence, flags = f"preprocessed; {ROLES[role]}.", list(record.flags)
        result = read_json(path) if is_segmented(task.roles, who.key) else None
        if result is not None:
            flags += [*result["qc_flags"], *task.t1w_flags.get(who.key, ())]
            flags += task.change_flags.get(who.name, ()) if who.dataset == MAIN else ()
            sentence = told(result)
        if flags:
            sentence += " Something should be looked at (see below):"
        if who.key not in failed:
            yield Verdict(who.name, "look" if flags else "good", sentence, tuple(flags))
