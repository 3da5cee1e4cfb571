"""Step 5: pages of participants and of the group, tables over all scans, the methods text."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from synthtumour_bids.bids.lookup import find_truth, images_there, shared
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.wording import listed
from synthtumour_bids.errors import DataError
from synthtumour_bids.execution.outcome import ScanOutcome
from synthtumour_bids.job import Job
from synthtumour_bids.methods.base import Method
from synthtumour_bids.settings import Step
from synthtumour_bids.steps import change, tables
from synthtumour_bids.steps.atlas import load_atlas
from synthtumour_bids.steps.memory import memory_gb
from synthtumour_bids.steps.methods_text import write_methods
from synthtumour_bids.steps.participant_report import write_pages
from synthtumour_bids.steps.scan_report import ReportTask, report_scan
from synthtumour_bids.steps.standard_spaces import spaces_of
from synthtumour_bids.steps.t1w import STEP as T1W
from synthtumour_bids.steps.t1w import InT1w, in_t1w
from synthtumour_bids.steps.t1w_report import T1wReport
from synthtumour_bids.steps.training_report import write_training_page

__all__ = ["run", "write_methods"]

LOGGER = logging.getLogger(__name__)
STEP = Step.REPORT
MEMORY_GB = 2.0  # of one process at 1 mm; 1.6 at 2 mm, most of it the libraries


def run(job: Job, method: Method) -> list[ScanOutcome]:
    """Report on the selected scans and their participants, and on all that is there."""
    settings = job.settings
    atlas = settings.atlas if load_atlas(settings.atlas) else None
    found = in_t1w(job.ledger)
    tasks = []
    truths = _truths(job)
    for scan in job.selected():
        segmented = scan.role.is_segmented and job.layout.result(scan).is_file()
        if segmented or job.preprocessing(scan) is not None:
            truth = truths.get(scan.key) if segmented else None
            if settings.truth is not None and truth is None:
                job.layout.scores(scan.record).unlink(missing_ok=True)  # of another truth
            redraw, viewer = settings.reports_only, not settings.no_viewer
            t1w = _on_t1w(job, scan, found) if segmented else None
            bent = spaces_of(job, scan) if segmented else ()
            tasks.append(ReportTask(scan, truth, job.layout, redraw, viewer, atlas, t1w, bent))
    results = job.map(
        report_scan,
        tasks,
        label="Reporting",
        describe=lambda task: task.scan.key,
        memory_gb=memory_gb((task.scan for task in tasks), MEMORY_GB),
        omp_nthreads=settings.omp_nthreads,
        stoppable=False,
    )
    records = job.record(STEP, results, lambda task: task.scan) + change.run(job)
    write_methods(job, method)
    write_training_page(job)
    records += write_pages(job)
    tables.write(job)
    return records


def _on_t1w(job: Job, scan: Scan, found: Mapping[str, InT1w]) -> T1wReport | None:
    """What there is of a scan on the grid of its T1w image; nothing where either is gone."""
    t1w = job.selection.t1w.get(scan.key)
    if t1w is None or scan.key not in found or job.ledger.finished(T1W, scan.key) is None:
        return None
    given = job.settings.lesion_roi_dir
    roi_dir = '"$OUTPUT_DIR"/derivatives/lesion-roi' if given is None else '"$LESION_ROI_DIR"'
    return T1wReport(t1w, found[scan.key], roi_dir)


def _truths(job: Job) -> dict[str, Path]:
    """Truths of the segmented scans that are scored, by their keys.

    A scan without one, with two that fit equally well, or with one that other scans could have as
    well, gets no scores, and a warning.
    """
    folder = job.settings.truth
    if folder is None:
        return {}
    found = {}
    for scan in job.selected():
        if not scan.role.is_segmented or not job.layout.result(scan).is_file():
            continue
        try:
            truth = find_truth(scan, folder)
        except DataError as error:
            LOGGER.warning("%s is not scored: %s", scan.key, error)
            continue
        if truth is None:
            LOGGER.warning(
                "%s is not scored: no label-L_mask named after it under %s (--truth); there is %s.",
                scan.key,
                folder,
                images_there(scan, [folder]),
            )
        else:
            found[scan.key] = truth
    for path, keys in shared(found).items():
        LOGGER.warning(
            "%s are not scored: %s (--truth) could be drawn on any of them. Name it after the one "
            "that it was drawn on.",
            listed(keys),
            path,
        )
        for key in keys:
            del found[key]
    return found
