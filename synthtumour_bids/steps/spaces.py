"""After the segmentation: its masks on the grids that other tools want them on."""

from __future__ import annotations

from synthtumour_bids.execution.outcome import ScanOutcome
from synthtumour_bids.job import Job
from synthtumour_bids.steps import lesion_roi, t1w


def run(job: Job) -> list[ScanOutcome]:
    """Carry the masks of the selected scans to their T1w images, and lay them ready."""
    return t1w.run(job) + lesion_roi.write(job)
