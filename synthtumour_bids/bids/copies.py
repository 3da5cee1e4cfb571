"""One image under two names: who is there twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.settings import Role


def find_copies(scans: Iterable[Scan], images: Mapping[str, str]) -> dict[str, Scan]:
    """Find scans that hold the very image of another person's.

    Parameters
    ----------
    scans
        Of a run.
    images
        Hash of the values of each, by its key; an empty one tells nothing.

    Returns
    -------
    By the key of each copy the first scan with its image: tumour and annotated scans go before
    tumour-free ones.
    """
    known: dict[str, Scan] = {}
    found: dict[str, Scan] = {}
    for scan in sorted(scans, key=lambda scan: scan.role is Role.TUMOURFREE):
        if image := images.get(scan.key):
            first = known.setdefault(image, scan)
            if first.person != scan.person:
                found[scan.key] = first
    return found


def of_person(scan: Scan, first: Mapping[str, Scan]) -> Scan:
    """Give a scan that knows whose it is, where :func:`find_copies` found it to be a copy."""
    return replace(scan, same_as=first[scan.key].person) if scan.key in first else scan
