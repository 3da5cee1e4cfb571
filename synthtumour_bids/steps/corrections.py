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
from synthtumour_bids.ledger import Ledger, Stamp
from synthtumour_bids.methods.corrections import (
    EMPTY,
    PREPROCESSING,
    REFUSED,
    STANDS_FOR,
    STEP,
    carried,
    emptied,
    fingerprint_of,
    in_effect,
)
from synthtumour_bids.methods.learners import held_out_among, learnable
from synthtumour_bids.settings import TEMPLATE, Method, Role
from synthtumour_bids.volumes import load_nifti, template_image

LOGGER = logging.getLogger(__name__)
MEMORY_GB = 1.0
ADVICE = "Correct it, or take it out of the folder of --corrections."
BEFORE = "The mask that was given before it still counts."
REFUSED_BEFORE = (
    "was refused by an earlier version of this app, and the senior trained since goes on to count: "
    "save it in another form, with 0 and 1, to have it learned from."
)


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
    _tell_of_held_out(job)
    tasks = [
        CorrectionTask(scan, mask, record.fingerprint, job.layout)
        for scan in learnable(job, Role.TUMOUR)
        if (mask := job.selection.corrections.get(scan.key)) is not None
        and (record := job.preprocessing(scan)) is not None
    ]
    there = carried(job)
    todo = [task for task in tasks if task.scan.key not in there or _stands_for_another(task)]
    results = job.map(
        carry_correction,
        todo,
        label="Reading corrected masks",
        describe=lambda task: task.scan.key,
        memory_gb=MEMORY_GB,
        omp_nthreads=job.settings.omp_nthreads,
    )
    done = [task.scan for task in tasks if task not in todo]
    outcomes = skipped(STEP, done) + job.record(STEP, results, lambda task: task.scan)
    if keys := sorted(emptied(job)):
        LOGGER.info(
            "The corrected masks of %s are empty: these scans teach by no label.",
            listed(keys, 5),
        )
    return outcomes


def carry_correction(task: CorrectionTask) -> None:
    """Check one corrected mask, bring it to the template grid and stamp it.

    One that cannot be used leaves in effect what was given for the scan before: no senior is
    trained for a file that is out of reach for a while, or was saved in another form. An empty one
    says that there is no tumour. A file that a version before has refused stays refused, as its
    senior is finished, until it is saved in another form.

    Raises
    ------
    UnusableScanError
        When it cannot be read, holds something else than 0 and whole numbers above it, does not
        lie in its scan's brain, or takes most of it; or was refused before.
    """
    from synthtumour_bids.preprocessing.annotation import Drawing, read_drawing
    from synthtumour_bids.steps.annotations import on_template

    scan, layout, ledger = task.scan, task.layout, Ledger(task.layout.output_dir)
    path, current = layout.correction(scan), fingerprint_of(task.mask, task.preprocessing)
    transform, standard_brain = layout.transform(scan), load_nifti(layout.standard_brain(scan))
    about: dict[str, Any] = {PREPROCESSING: task.preprocessing}
    drawing = Drawing(task.mask, "corrected mask", ADVICE)
    stamp = ledger.read(STEP, scan.key)
    refused = stamp and stamp.fingerprint == current and stamp.details.get(REFUSED)
    try:
        if not refused and not np.asanyarray(read_drawing(drawing).dataobj).any():
            remove_outputs([path])
            ledger.mark(STEP, scan.key, current, scan=scan, **{**about, EMPTY: True})
            return
        with safe_alias(transform.parent) as folder:
            values = on_template(
                scan,
                drawing,
                None,
                load_nifti(layout.native_image(scan)),
                load_nifti(layout.native_brain(scan)),
                standard_brain,
                folder / transform.name,
            )
        if refused:
            raise UnusableScanError(f"The {drawing} {REFUSED_BEFORE}")
    except UnusableScanError as error:
        if (before := _carried_before(task)) is not None:
            outputs = [layout.output_dir / one for one in before.outputs]
            about = {**before.details, STANDS_FOR: current}
            ledger.mark(STEP, scan.key, before.fingerprint, outputs, scan=scan, **about)
            raise UnusableScanError(f"{error} {BEFORE}") from error
        remove_outputs([path])
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
    remove_outputs([path])
    ledger.clear(STEP, scan.key)
    write_image(path, template_image(values.astype(np.uint8), standard_brain.affine), told)
    ledger.mark(STEP, scan.key, current, [path], scan=scan, **about)


def _carried_before(task: CorrectionTask) -> Stamp | None:
    """Stamp of a mask of the scan that was carried already, and can still be learned from."""
    stamp = Ledger(task.layout.output_dir).finished(STEP, task.scan.key)
    if stamp is None or stamp.details.get(REFUSED):
        return None
    return stamp if stamp.details.get(PREPROCESSING) == task.preprocessing else None


def _stands_for_another(task: CorrectionTask) -> bool:
    stamp = _carried_before(task)
    return stamp is not None and STANDS_FOR in stamp.details


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
    held_out = {scan.key for scan in held_out_among(job, now.values())}
    if lost := sorted((stamped & set(now)) - set(kept) - held_out):
        LOGGER.warning(
            "The corrected masks of %s do not count any more: their scans were preprocessed anew, "
            "or the masks' copies are gone. Give --corrections again.",
            listed(lost, 5),
        )


def _tell_of_held_out(job: Job) -> None:
    """Name the masks of people who are held out by another name; the names alone did not tell."""
    given = job.selection.corrections
    scans = [scan for scan in job.selection.everything if scan.key in given]
    if names := sorted(scan.key for scan in held_out_among(job, scans)):
        LOGGER.warning(
            "The corrected masks of %s are not learned from: the same scans, or others of the same "
            "persons, are held out by another name (--hold-out).",
            listed(names, 5),
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
