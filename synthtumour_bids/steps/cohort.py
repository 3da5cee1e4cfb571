"""Which finished training can be kept: by its settings, and by the scans it learned from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.steps.job import Job

STEP = "cohort"


def members(job: Job, scans: Iterable[Scan]) -> dict[str, str]:
    """Fingerprint of the finished preprocessing of each scan, by its key."""
    prints = {scan.key: job.preprocessing_print(scan) for scan in scans}
    return {key: value for key, value in prints.items() if value is not None}


def finished(job: Job, name: str, settings_print: str) -> dict[str, Any] | None:
    """Stamp of a cohort-level result that is still good.

    It is, when it was made with the same settings and no scan it was made from has changed.
    Scans that came or went since do not call for training anew; ``--retrain`` does.
    """
    stamp = job.stamps.read(STEP, name)
    if stamp is None or stamp.get("fingerprint") != settings_print:
        return None
    if not job.stamps.outputs_exist(stamp):
        return None
    for scan in job.selection.everything:
        before = stamp["members"].get(scan.key)
        now = job.preprocessing_print(scan)
        if None not in (before, now) and before != now:
            return None
    return stamp


def up_to_date(job: Job, name: str, settings_print: str, scans: Iterable[Scan]) -> bool:
    """Whether a result is still good and was made from just these scans."""
    stamp = finished(job, name, settings_print)
    return stamp is not None and stamp["members"] == members(job, scans)


def mark(
    job: Job,
    name: str,
    settings_print: str,
    used: Mapping[str, str],
    outputs: Iterable[Path],
    **details: Any,
) -> None:
    """Record a cohort-level result as finished, with the scans it was made from."""
    job.stamps.mark(STEP, name, settings_print, outputs, members=dict(used), **details)
