"""Corrected masks, brought to the template grid before a senior learns from them.

The files of ``--corrections`` are read and nothing else; what is learned from is a copy.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from synthtumour_bids.bids.derivatives import remove_outputs, write_image
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.sidecars import sidecar
from synthtumour_bids.bids.wording import listed
from synthtumour_bids.errors import UnusableScanError
from synthtumour_bids.execution.outcome import ScanOutcome
from synthtumour_bids.execution.temporary import safe_alias
from synthtumour_bids.files import hash_file
from synthtumour_bids.job import Job, skipped
from synthtumour_bids.layout import Layout
from synthtumour_bids.ledger import Ledger
from synthtumour_bids.methods.corrections import (
    PREPROCESSING,
    REFUSED,
    STEP,
    carried,
    fingerprint_of,
    in_effect,
)
from synthtumour_bids.settings import TEMPLATE, Method
from synthtumour_bids.volumes import load_nifti, template_image

LOGGER = logging.getLogger(__name__)
MEMORY_GB = 1.0
ADVICE = "Correct it, or take it out of the folder of --corrections."


@dataclass(frozen=True)
class CorrectionTask:
    """A corrected mask, its scan, and the fingerprint of the scan's preprocessing."""

    scan: Scan
    mask: Path
    preprocessing: str
    layout: Layout


def run(job: Job) -> list[ScanOutcome]:
    """Bring the masks of ``--corrections`` to the template grid; those no longer there go.

    Without the flag nothing changes: masks of an earlier run still count.
    """
    if job.settings.corrections is None:
        _tell_of_kept(job)
        return []
    _withdraw(job)
    tasks = [
        CorrectionTask(scan, mask, record.fingerprint, job.layout)
        for scan in job.selection.everything
        if (mask := job.selection.corrections.get(scan.key)) is not None
        and (record := job.preprocessing(scan)) is not None
    ]
    there = carried(job)
    todo = [task for task in tasks if task.scan.key not in there]
    results = job.map(
        carry_correction,
        todo,
        label="Reading corrected masks",
        describe=lambda task: task.scan.key,
        memory_gb=MEMORY_GB,
        omp_nthreads=job.settings.omp_nthreads,
    )
    done = [task.scan for task in tasks if task.scan.key in there]
    return skipped(STEP, done) + job.record(STEP, results, lambda task: task.scan)


def carry_correction(task: CorrectionTask) -> None:
    """Check one corrected mask, bring it to the template grid and stamp it.

    Raises
    ------
    UnusableScanError
        When it cannot be read, is empty, holds something else than 0 and whole numbers above it,
        does not lie in its scan's brain, or takes most of it.
    """
    from synthtumour_bids.preprocessing.annotation import Drawing
    from synthtumour_bids.steps.annotations import on_template

    scan, layout, ledger = task.scan, task.layout, Ledger(task.layout.output_dir)
    path, current = layout.correction(scan), fingerprint_of(task.mask, task.preprocessing)
    transform, standard_brain = layout.transform(scan), load_nifti(layout.standard_brain(scan))
    remove_outputs([path])
    ledger.clear(STEP, scan.key)
    about: dict[str, Any] = {PREPROCESSING: task.preprocessing}
    try:
        with safe_alias(transform.parent) as folder:
            values = on_template(
                scan,
                Drawing(task.mask, "corrected mask", ADVICE),
                None,
                load_nifti(layout.native_image(scan)),
                load_nifti(layout.native_brain(scan)),
                standard_brain,
                folder / transform.name,
            )
    except UnusableScanError:
        ledger.mark(STEP, scan.key, current, scan=scan, **{**about, REFUSED: True})
        raise
    told = sidecar(
        sources=[scan.uri],
        space=TEMPLATE,
        resolution=layout.resolution,
        Type="Lesion",
        Manual=True,
        Description=f"The corrected mask {task.mask.name}, that the senior learns from",
        CorrectedMask=hash_file(task.mask),
    )
    write_image(path, template_image(values.astype(np.uint8), standard_brain.affine), told)
    ledger.mark(STEP, scan.key, current, [path], scan=scan, **about)


def _tell_of_kept(job: Job) -> None:
    """Say which masks of earlier runs still count, and which do not any more."""
    if job.settings.method is not Method.SYNTHTUMOUR:
        return
    kept = in_effect(job)
    if kept:
        LOGGER.info(
            "%d corrected masks of an earlier run count, as --corrections was left out; a folder "
            "without them takes them back.",
            len(kept),
        )
    stamped = {
        scan.key for scan, stamp in job.ledger.of_scans(STEP) if not stamp.details.get(REFUSED)
    }
    now = {scan.key: scan for scan in job.selection.everything if job.preprocessing(scan)}
    held_out = {key for key, scan in now.items() if job.is_held_out(scan)}
    if lost := sorted((stamped & set(now)) - set(kept) - held_out):
        LOGGER.warning(
            "The corrected masks of %s do not count any more: their scans were preprocessed anew, "
            "or the masks' copies are gone. Give --corrections again.",
            listed(lost, 5),
        )


def _withdraw(job: Job) -> None:
    """Take back the masks that the folder holds no more, and what was said of them."""
    given = job.selection.corrections
    for scan in job.selection.everything:
        if scan.key not in given and job.ledger.read(STEP, scan.key) is not None:
            held = job.is_held_out(scan)
            why = "of a participant of --hold-out" if held else "there no more"
            LOGGER.warning("%s: its corrected mask is %s, and is left out.", scan.key, why)
            job.ledger.clear(STEP, scan.key)
            remove_outputs([job.layout.correction(scan)])
    for failure in job.ledger.failures():
        if failure.step == STEP and failure.scan.key not in given:
            job.ledger.clear_failure(STEP, failure.scan.key)
