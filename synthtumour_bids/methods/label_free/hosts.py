"""Tumour-free brains on the template grid, that tumours are put into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.job import Job

WHOLE = "whole brain"


@dataclass(frozen=True)
class Host:
    """A tumour-free brain on the template grid.

    Attributes
    ----------
    scan
        A tumour-free scan, a tumour scan whose healthy half it is made of, or the name of a
        simulated head, of which there is no scan.
    image, mask
        NIfTI files.
    part
        What of it the brain is, in words.
    origin
        Where it comes from, where that is no scan.
    """

    scan: Scan
    image: Path
    mask: Path
    part: str = WHOLE
    origin: str = ""

    @property
    def source(self) -> str:
        """What sidecars call it: the scan's URI, or the origin."""
        return self.origin or self.scan.uri


def whole_brains(job: Job, scans: Sequence[Scan]) -> list[Host]:
    """Tumour-free scans as hosts."""
    layout = job.layout
    return [Host(s, layout.standard_image(s), layout.standard_brain(s)) for s in scans]
