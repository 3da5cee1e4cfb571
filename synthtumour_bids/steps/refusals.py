"""Files and folders that cannot be used: told of like other failures, and forgotten once mended."""

from __future__ import annotations

import glob
from collections.abc import Collection
from pathlib import Path

from synthtumour_bids.bids.images import MAIN
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.job import Job
from synthtumour_bids.ledger import Failure, Identity


def refused(job: Job, step: str) -> list[ScanOutcome]:
    """Outcomes of files and folders that cannot be used; kept in the ledger like other failures."""
    records = []
    for one in job.selection.refused:
        identity = Identity(one.dataset_name, one.subject, None, "", one.name)
        job.ledger.mark_failure(Failure(step, identity, "", job.places.hide(one.message)))
        records.append(ScanOutcome(identity.key, step, Status.FAILED, one.message))
    _forget_mended(job, step, {record.key for record in records})
    return records


def _forget_mended(job: Job, step: str, still: Collection[str]) -> None:
    """Clear failures of what was refused before, or is gone, of participants now looked at."""
    settings, scans = job.settings, job.selection.everything
    roots = {MAIN: settings.bids_dir, **{scan.dataset_name: scan.dataset for scan in scans}}
    for failure in job.ledger.failures():
        who = failure.scan
        if failure.step != step or who.dataset not in roots or who.key in still:
            continue
        if not who.suffix or not _is_there(who, roots[who.dataset]):
            excluded = who.subject in settings.exclude_participant_label
            if not excluded and who.subject in (settings.participant_label or (who.subject,)):
                job.ledger.clear_failure(step, who.key)


def _is_there(scan: Identity, root: Path) -> bool:
    """Whether a dataset still has the image of a scan; also where nobody may know."""
    folder = root / f"sub-{scan.subject}"
    try:
        return any(folder.rglob(f"{glob.escape(scan.name)}.nii*"))
    except OSError:
        return True
