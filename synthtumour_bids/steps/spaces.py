"""After the segmentation: its masks on the grids that other tools want them on."""

from __future__ import annotations

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.execution.outcome import ScanOutcome
from synthtumour_bids.job import Job
from synthtumour_bids.spaces.references import T1W, Reference, references_of
from synthtumour_bids.steps import healthy_twin, lesion_roi, standard_spaces, t1w


def run(job: Job) -> list[ScanOutcome]:
    """Carry the masks of the selected scans to the grids that were asked for.

    Where nobody asked, these are the grids of their T1w images.
    """
    asked = references_of(job.settings.output_spaces)
    records = []
    if not asked or Reference(T1W) in asked:
        records += t1w.run(job) + lesion_roi.write(job)
    else:
        lesion_roi.remove_lost(job)
    return records + standard_spaces.run(job) + healthy_twin.run(job)


def planned(job: Job, scan: Scan) -> dict[str, bool]:
    """The grids that a scan's mask is to be carried to, and whether that is done.

    It is, where it was done for the segmentation that is there now.
    """
    asked = references_of(job.settings.output_spaces)
    found = {}
    if not asked or Reference(T1W) in asked:
        chosen = job.selection.t1w.get(scan.key)
        if chosen is not None and chosen.image.path != scan.path:
            found[T1W] = t1w.is_done(job, scan)
    standard = dict.fromkeys(one.space for one in asked if one.is_standard)
    return found | {
        space: standard_spaces.deformed(job.ledger, scan.key, space) is not None
        for space in standard
    }
