"""Scans of participants that are held out: which are segmented, and which are left out."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.settings import Role


def with_held_out(
    scans: Iterable[Scan], labels: Collection[str], found: Iterable[Scan] | None = None
) -> list[Scan]:
    """Give the tumour-free scans of participants that are held out their role.

    Where a participant with a tumour bears the same label in another dataset, the label means that
    one, who has always been meant by it: the tumour-free one stays a host.

    Parameters
    ----------
    scans
        Of the run, with their roles.
    labels
        Of the participants of ``--hold-out``.
    found
        All scans of the run's datasets, where more than `scans`: some are left out since they are
        held out.
    """
    scans = list(scans)
    others = {scan.subject for scan in found or scans if scan.role is not Role.TUMOURFREE}
    meant = set(labels) - others
    return [
        replace(scan, role=Role.HELD_OUT)
        if scan.role is Role.TUMOURFREE and scan.subject in meant
        else scan
        for scan in scans
    ]


def kept_aside(found: Iterable[Scan], labels: Collection[str]) -> tuple[Scan, ...]:
    """Find the scans of an annotated dataset of its own that nothing is made of.

    Parameters
    ----------
    found
        All scans of the run's datasets, with the roles that their datasets have.
    labels
        Of the participants of ``--hold-out``.
    """
    return tuple(scan for scan in found if scan.role is Role.ANNOTATED and scan.subject in labels)
