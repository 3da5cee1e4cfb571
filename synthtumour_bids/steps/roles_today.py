"""What scans are taken for today, whatever they were when something was recorded of them."""

from __future__ import annotations

from collections.abc import Mapping

from synthtumour_bids.job import Job
from synthtumour_bids.settings import Role


def roles_today(job: Job) -> dict[str, Role]:
    """Roles of scans by their keys; a job of an array knows its own scans alone."""
    return {scan.key: scan.role for scan in job.selection.everything}


def is_segmented(roles: Mapping[str, Role], key: str) -> bool:
    """Whether the mask that there is of a scan counts today; of another job's scan it does."""
    return roles.get(key, Role.TUMOUR).is_segmented
