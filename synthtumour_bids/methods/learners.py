"""Whose scans may be learned from."""

from __future__ import annotations

from collections.abc import Iterable

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.job import Job
from synthtumour_bids.settings import Role


def learnable(job: Job, role: Role) -> list[Scan]:
    """Preprocessed scans of a role, of nobody who is held out by whatever name.

    Names are one person's where they share an image that could be read.

    Parameters
    ----------
    job
        The run.
    role
        Of the scans; of `Role.HELD_OUT` there are none.
    """
    held_out = job.held_out_persons()
    return [scan for scan in job.preprocessed(role) if scan.person not in held_out]


def held_out_among(job: Job, scans: Iterable[Scan]) -> list[Scan]:
    """Those of the scans that are of people who are held out, by their own or another name."""
    people = job.held_out_persons()
    persons = job.persons() if people else {}
    return [scan for scan in scans if persons.get(scan.key, scan.person) in people]
