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


def find_persons(scans: Iterable[Scan], first: Mapping[str, Scan]) -> dict[str, str]:
    """Tell who was scanned, where some of a person's scans have copies under another name.

    Parameters
    ----------
    scans
        Of a run.
    first
        What :func:`find_copies` found among them.

    Returns
    -------
    By the key of each scan its person. One copy is enough for all scans of both names to be of
    one person.
    """
    joined: dict[str, str] = {}

    def known_as(person: str) -> str:
        while person in joined:
            person = joined[person]
        return person

    scans = list(scans)
    for scan in scans:
        if scan.key in first:
            one, other = known_as(first[scan.key].person), known_as(scan.person)
            if one != other:
                joined[other] = one
    return {scan.key: known_as(scan.person) for scan in scans}


def of_person(scan: Scan, persons: Mapping[str, str]) -> Scan:
    """Give a scan that knows whose it is, where :func:`find_persons` found another name."""
    person = persons.get(scan.key, scan.person)
    return scan if person == scan.person else replace(scan, same_as=person)
