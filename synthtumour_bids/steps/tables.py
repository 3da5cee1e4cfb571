"""The tables over all scans, made of what lies in the output folder, whichever job put it there."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from synthtumour_bids.reports.group import RESULTS, Summary, read_results, write_tables
from synthtumour_bids.settings import Step
from synthtumour_bids.steps.job import Job

LOGGER = logging.getLogger(__name__)
SCORES = "logs/scores"


def scores_file(output_dir: Path, name: str) -> Path:
    """Agreement of one scan's segmentation with its truth; goes with the segmentation."""
    return output_dir / SCORES / f"{name}.json"


def write(job: Job) -> None:
    """Write the tables of everything that is there.

    The jobs of an array end together. Each makes the tables of all it finds, and makes them again
    where others have added something meanwhile, so that the last one to write has seen it all.
    """
    summary = None
    before: set[tuple[str, int, int]] | None = None
    while (now := _state(job)) != before:
        before = now
        summary = _write(job)
    if summary is not None and summary.n_scans:
        LOGGER.info("%s", summary.text())


def _state(job: Job) -> set[tuple[str, int, int]]:
    """What the tables are made of; any file that was written anew changes it."""
    output_dir = job.settings.output_dir
    folders = (output_dir / RESULTS, output_dir / SCORES, job.stamps.folder / Step.PREPROCESS)
    state = set()
    for path in (path for folder in folders for path in folder.glob("[!.]*.json")):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        state.add((str(path), status.st_ino, status.st_mtime_ns))
    return state


def _write(job: Job) -> Summary | None:
    output_dir = job.settings.output_dir
    results = []
    for result in read_results(output_dir):
        scores = _read(scores_file(output_dir, str(result["scan"])))
        results.append({**result, **scores})
    roles = dict(_roles(job))
    if not results and not roles:
        return None
    return write_tables(output_dir, results, roles)


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return content


def _roles(job: Job) -> Iterator[tuple[str, str]]:
    """Role of every participant with a folder; a job of an array knows its own scans alone."""
    output_dir = job.settings.output_dir
    for path in sorted((job.stamps.folder / Step.PREPROCESS).glob("raw__sub-*.json")):
        role = _read(path).get("role")
        participant = path.name.removeprefix("raw__").split("_")[0]
        if role and (output_dir / participant).is_dir():
            yield participant, role
    for scan in job.selection.everything:
        if scan.output_root(output_dir) == output_dir:
            participant = f"sub-{scan.subject}"
            if (output_dir / participant).is_dir():
                yield participant, scan.role.value
