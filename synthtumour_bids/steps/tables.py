"""The tables over all scans, the group report and the map of the cohort.

They are made of what lies in the output folder, whichever job put it there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from synthtumour_bids.bids.scan import record_name
from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.files import read_json
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.methods import corrections
from synthtumour_bids.preprocessed import Preprocessing
from synthtumour_bids.reports.change import write_changes
from synthtumour_bids.reports.group import (
    MAIN,
    Participant,
    by_dataset,
    participant_rows,
    read_results,
    scan_rows,
    write_tables,
)
from synthtumour_bids.reports.group_page import Trouble, write_group_page
from synthtumour_bids.reports.participant_table import as_text
from synthtumour_bids.reports.regions import write_regions
from synthtumour_bids.reports.summary import Summary
from synthtumour_bids.segmentation.presence import without_calibration
from synthtumour_bids.settings import Role, Step
from synthtumour_bids.steps import frequency
from synthtumour_bids.steps.change import flags_by_scan, read_changes
from synthtumour_bids.steps.locations import read_location
from synthtumour_bids.steps.roles_today import is_segmented, roles_today
from synthtumour_bids.steps.t1w import STEP as T1W
from synthtumour_bids.steps.t1w import InT1w, in_t1w

LOGGER = logging.getLogger(__name__)
UNREADABLE = (
    "%s cannot be read, so that the tables lack its scan: a run of its participant with all steps "
    "(without --steps and --reports-only) makes it again."
)


def write(job: Job) -> None:
    """Write the tables and the frequency map of everything that is there.

    The jobs of an array end together. Each makes the tables of all it finds, and makes them again
    where others have added something meanwhile, so that the last one to write has seen it all.
    """
    summary: Summary | None = None
    rows: list[dict[str, Any]] = []
    before: set[tuple[str, int, int]] | None = None
    while (now := _state(job)) != before:
        before = now
        summary, rows = _write(job)
        frequency.write(job)
    for path in sorted((job.layout.logs / "results").glob("[!.]*.json")):
        if read_json(path) is None and path.is_file():
            LOGGER.warning(UNREADABLE, path)
    asked = {f"sub-{scan.subject}" for scan in job.selected() if scan.dataset_name == MAIN}
    asked |= {f"sub-{one.subject}" for one in job.selection.refused if one.dataset_name == MAIN}
    if mine := [row for row in rows if row["participant_id"] in asked]:
        LOGGER.info("Participants:\n%s", as_text(mine))
    if summary is not None and summary.n_scans:
        LOGGER.info("%s", summary.text())


def _state(job: Job) -> set[tuple[str, int, int]]:
    """What the tables are made of; any file that was written anew changes it."""
    logs = job.layout.logs
    records = ("results", "scores", "locations", "changes")
    stamps = (job.ledger.folder(step) for step in (Step.PREPROCESS, T1W))
    folders = (*(logs / name for name in records), *stamps)
    paths = [path for folder in folders for path in folder.glob("[!.]*.json")]
    state = set()
    for path in [*paths, *(logs / "failures").rglob("[!.]*.json")]:
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        state.add((str(path), status.st_ino, status.st_mtime_ns))
    return state


def _write(job: Job) -> tuple[Summary | None, list[dict[str, Any]]]:
    """Write all; return the summary and the rows of participants, none where nothing is there."""
    output_dir = job.settings.output_dir
    found = in_t1w(job.ledger)
    roles = roles_today(job)
    changes = read_changes(job)
    of_change = flags_by_scan(changes)
    results = [
        {
            "tumour_present": without_calibration(result["volume_mL"]),  # in results of 0.1.0
            **result,
            **(read_json(job.layout.scores(_record(result))) or {}),
            **read_location(job.layout.location(_record(result))),
            "qc_flags": [
                *result.get("qc_flags", ()),
                *_t1w_flags(found, _key(result)),
                *of_change.get(str(result["scan"]), ()),
            ],
        }
        for result in read_results(output_dir)
        if is_segmented(roles, _key(result))
    ]
    participants = list(_participants(job, MAIN))
    if not results and not participants:
        return None, []
    write_regions(output_dir, results)
    write_changes(output_dir, changes)
    summary = write_tables(output_dir, results, participants, _learned(job))
    own = by_dataset(results)
    rows = participant_rows(own.pop(MAIN), participants)
    held_out = [
        {**row, "dataset": name}
        for name, scans in own.items()
        for row in participant_rows(scans, _among(_participants(job, name), scans))
    ]
    write_group_page(
        job.layout.group_page,
        [*rows, *held_out],
        scan_rows(results),
        list(_troubles(job)),
        job.ledger.stops(),
        summary.false_positives(),
        corrections.teachable(job),
    )
    return summary, rows


def _learned(job: Job) -> set[str]:
    """Names of the scans whose corrected masks this folder's senior learned from.

    A given network tells names that others of this dataset may bear: none of them counts.
    """
    if job.settings.model is None:
        with suppress(UnavailableError):
            return corrections.scans_of(job.model(Network.SENIOR).card)
    return set()


def _key(result: Mapping[str, Any]) -> str:
    return f"{result['dataset']}/{result['scan']}"


def _record(result: Mapping[str, Any]) -> str:
    return record_name(result["dataset"], result["scan"])


def _t1w_flags(found: Mapping[str, InT1w], key: str) -> tuple[str, ...]:
    return found[key].flags if key in found else ()


def _troubles(job: Job) -> Iterator[Trouble]:
    """Every failure of any dataset."""
    layout = job.layout
    for failure in job.ledger.failures():
        page = layout.page(failure.scan.dataset, failure.scan.subject)
        link = page.relative_to(layout.output_dir).as_posix() if page.is_file() else ""
        yield Trouble(failure.scan.name, failure.step, failure.message, link)


def _among(
    participants: Iterable[Participant], scans: Iterable[Mapping[str, Any]]
) -> list[Participant]:
    """Those of whom a scan is segmented: of a tumour-free dataset who is held out."""
    names = {scan["participant_id"] for scan in scans}
    return [one for one in participants if one.participant_id in names]


def _participants(job: Job, dataset: str) -> Iterator[Participant]:
    """Everyone of a dataset of whom something was made, or tried in vain.

    A job of an array knows its own scans alone; the others are found by what was recorded.
    """
    found: dict[str, Participant] = {}
    roles = roles_today(job)
    segmented = {
        _key(result): Role(result.get("role", Role.TUMOUR))
        for result in read_results(job.settings.output_dir)
    }

    def known(subject: str, role: str) -> Participant:
        return found.setdefault(subject, Participant(f"sub-{subject}", role))

    root = job.layout.dataset_root(dataset)
    for who, stamp in job.ledger.of_scans(Step.PREPROCESS):
        if who.dataset == dataset and (root / f"sub-{who.subject}").is_dir():
            record = Preprocessing.from_details(stamp.fingerprint, stamp.details)
            role = roles.get(who.key, segmented.get(who.key, record.role))
            person = known(who.subject, role)
            found[who.subject] = person.with_scan(record.measurements, record.flags)
    for failure in job.ledger.failures():
        if failure.scan.dataset == dataset:
            person = known(failure.scan.subject, failure.role)
            found[failure.scan.subject] = person.with_failure(failure.step, failure.message)
    for scan in job.selection.everything:
        if scan.dataset_name == dataset and (root / f"sub-{scan.subject}").is_dir():
            known(scan.subject, scan.role)
    return iter(found.values())
