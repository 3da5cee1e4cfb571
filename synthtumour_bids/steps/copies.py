"""What is said of images that are there under two names."""

from __future__ import annotations

import logging

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.job import Job
from synthtumour_bids.settings import Role

LOGGER = logging.getLogger(__name__)
HELD_OUT_TOO = "and held out (--hold-out), and so is that one"


def warn_of_copies(job: Job) -> None:
    """Tell of images that are there under two names, where one of them was asked for."""
    scans = {scan.key: scan for scan in job.told_apart}
    aside = {scan.key for scan in job.selection.aside}
    asked = {scan.key for scan in job.selected()}
    for key, first in job.copies().items():
        if asked.isdisjoint((key, first.key)):
            continue
        what = HELD_OUT_TOO if key in aside else _consequence(scans[key], first)
        LOGGER.warning(
            "%s is the same image as %s, %s. Leave out the one that is wrong "
            "(--exclude-participant-label).",
            key,
            first.key,
            what,
        )


def _consequence(copy: Scan, first: Scan) -> str:
    if copy.role is Role.TUMOURFREE and first.role is Role.HELD_OUT:
        return "which is held out (--hold-out), and so is this one"
    if copy.role is Role.TUMOURFREE and first.role is not Role.TUMOURFREE:
        return (
            "but the one should be tumour-free and the other not: "
            f"{copy.key} gets no synthetic tumours"
        )
    return "and both count as one person, who never stands on both sides of a validation"
