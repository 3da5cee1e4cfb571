"""Table of how much of each tumour lies in each region of the atlas that the user gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from synthtumour_bids.files import write_json, write_tsv
from synthtumour_bids.measures.columns import REGIONS
from synthtumour_bids.reports.group import dictionary

REGION_TABLE = "group_desc-regions_volumes.tsv"
_WHICH_SCAN = ("participant_id", "session_id", "scan")


def write_regions(output_dir: Path, results: Sequence[Mapping[str, Any]]) -> None:
    """Write one row per scan and region that has a part of its tumour.

    Parameters
    ----------
    output_dir
        The derivative dataset.
    results
        Figures of each segmented scan, with ``regions`` where an atlas was given; without any, no
        table is written, and that of an earlier atlas goes.
    """
    rows = [
        {**{name: result.get(name) for name in _WHICH_SCAN}, "atlas": regions["Atlas"], **one}
        for result in results
        if (regions := result.get("regions"))
        for one in regions["Volumes"]
    ]
    path = output_dir / REGION_TABLE
    if not rows:
        for old in (path, path.with_suffix(".json")):
            old.unlink(missing_ok=True)
        return
    write_tsv(path, rows, [*_WHICH_SCAN, *REGIONS])
    write_json(path.with_suffix(".json"), {**dictionary(_WHICH_SCAN), **REGIONS})
