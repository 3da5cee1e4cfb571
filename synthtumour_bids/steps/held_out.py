"""Scans that are held out and used for nothing: their copies must teach nothing, either."""

from __future__ import annotations

import logging

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.files import hash_file
from synthtumour_bids.job import IMAGE, Job
from synthtumour_bids.preprocessing.preflight import check
from synthtumour_bids.settings import Step
from synthtumour_bids.steps.memory import memory_gb
from synthtumour_bids.volumes import hash_values

LOGGER = logging.getLogger(__name__)
LEARNING = (Step.SYNTHESISE, Step.TRAIN)
MEMORY_GB = 0.5  # of one process, for a scan of common size


def recognise(job: Job) -> None:
    """Note what the images of scans kept aside hold, before anything is learned from others."""
    learns = not set(LEARNING).isdisjoint(job.steps)
    scans = [scan for scan in job.selection.aside if learns and not _is_noted(job, scan)]
    if not scans:
        return
    results = job.map(
        _image_of,
        scans,
        label="Held out: reading",
        describe=lambda scan: scan.key,
        memory_gb=memory_gb(scans, MEMORY_GB),
        stoppable=False,
    )
    for result in results:
        scan = result.item
        if result.value is None:
            job.ledger.clear(IMAGE, scan.key)
            LOGGER.warning(
                "%s: held out (--hold-out), but whether its image is there under another name, "
                "too, cannot be told: %s",
                scan.key,
                result.error,
            )
            continue
        current, image = result.value
        job.ledger.mark(IMAGE, scan.key, current, scan=scan, image=image)


def _is_noted(job: Job, scan: Scan) -> bool:
    """Whether the image is known as the file has it now."""
    stamp = job.ledger.read(IMAGE, scan.key)
    try:
        return stamp is not None and stamp.fingerprint == hash_file(scan.path)
    except OSError:
        return False


def _image_of(scan: Scan) -> tuple[str, str]:
    """Hashes of a scan's file and of the values in it."""
    return hash_file(scan.path), hash_values(check(scan.path).image)
