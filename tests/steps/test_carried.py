"""Masks on further grids: they go with the segmentation that they are of, and say what it says."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from synthtumour_bids.bids.derivatives import sidecar_path
from synthtumour_bids.ledger import Ledger
from synthtumour_bids.steps.carried import carried_files
from synthtumour_bids.steps.locations import describe_location
from synthtumour_bids.steps.segment import SegmentTask, segment_scan
from tests.builders.segmenting import make_task


def carry(task: SegmentTask) -> list[Path]:
    """Copies of the mask where the T1w image's and a standard space's are, with their stamps."""
    layout, scan, ledger = task.layout, task.scan, Ledger(task.layout.output_dir)
    native = layout.native(scan, label="L", suffix="mask")
    t1w = layout.in_t1w(scan, label="L", suffix="mask")
    bent = layout.in_standard(scan, "MNI152NLin6Asym", 4.0, "mask")
    for step, path in (("t1w", t1w), ("space-MNI152NLin6Asym", bent)):
        shutil.copyfile(native, path)
        shutil.copyfile(sidecar_path(native), sidecar_path(path))
        ledger.mark(step, scan.key, "f", [path], scan=scan)
    return [t1w, bent]


def test_size_and_place_are_told_on_every_grid(tmp_path: Path) -> None:
    task = make_task(tmp_path)
    segment_scan(task)
    masks = carry(task)
    describe_location(task.scan, task.layout, None)
    native = task.layout.native(task.scan, label="L", suffix="mask")
    told = [json.loads(sidecar_path(path).read_text()) for path in (native, *masks)]
    assert told[0]["Size"]
    assert all(one["Size"] == told[0]["Size"] for one in told)
    assert all(one["Location"] == told[0]["Location"] for one in told)


def test_masks_of_a_segmentation_that_is_no_more_go(tmp_path: Path) -> None:
    task = make_task(tmp_path)
    segment_scan(task)
    masks = carry(task)
    ledger = Ledger(task.layout.output_dir)
    assert carried_files(ledger, task.scan.key) == masks
    other = {name: f"other {name}" for name in task.networks.fingerprints}
    segment_scan(replace(task, networks=replace(task.networks, fingerprints=other)))
    assert not any(path.exists() or sidecar_path(path).exists() for path in masks)
    ledger.forget()
    assert carried_files(ledger, task.scan.key) == []
