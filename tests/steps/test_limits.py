"""What the steps hand to their processes: how many there are, and which truth."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids import job as jobs
from synthtumour_bids.files import write_json
from synthtumour_bids.layout import Network
from synthtumour_bids.preprocessing.stripped import solid_component
from synthtumour_bids.segmentation.temperature import at_temperature
from synthtumour_bids.segmentation.uncertainty import entropy
from synthtumour_bids.settings import Role
from synthtumour_bids.steps import memory, preprocess, report, segment, tables
from tests.builders.datasets import make
from tests.builders.jobs import make_job, mark_preprocessed, mark_trained, method_of

STEPS: dict[str, Callable[[Any], Any]] = {
    "preprocess": preprocess.run,
    "segment": lambda job: segment.run(job, method_of(job)),
    "report": lambda job: report.run(job, method_of(job)),
}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Arguments of each map over scans, none of which is worked on."""
    noted: list[dict[str, Any]] = []

    def note(_: Callable[[Any], Any], items: Sequence[Any], **more: Any) -> list[Any]:
        noted.append({"items": items, **more})
        return []

    monkeypatch.setattr(jobs, "map_items", note)
    monkeypatch.setattr(tables, "write", lambda _: None)
    monkeypatch.setattr(report, "write_methods", lambda *_: None)
    return noted


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("mem_gb", "expected", "pages"), [(5.0, 2, 7), (100.0, 4, 8)])
def test_cores_threads_and_memory_limit_the_processes_of_a_step(
    tmp_path: Path, calls: list[dict[str, Any]], step: str, mem_gb: float, expected: int, pages: int
) -> None:
    job = make_job(tmp_path, nprocs=8, omp_nthreads=2, mem_gb=mem_gb)
    mark_trained(job)
    STEPS[step](job)
    # Comparisons of sessions and pages of participants come after the pictures; pages take one
    # thread and less memory.
    after = [expected, pages] if step == "report" else []
    assert [call["nprocs"] for call in calls] == [expected, *after]


@pytest.mark.parametrize("step", ["preprocess", "segment"])
def test_a_large_scan_leaves_room_for_fewer_processes(
    tmp_path: Path, calls: list[dict[str, Any]], step: str
) -> None:
    job = make_job(tmp_path, nprocs=8, mem_gb=12.0)
    header = nib.Nifti1Header()
    header.set_data_shape((512, 512, 320))
    scan = job.selected(Role.TUMOUR)[0]
    scan.path.write_bytes(gzip.compress(header.binaryblock))
    mark_trained(job)
    mark_preprocessed(job, scan)
    assert memory.memory_gb([scan], 2.0) == pytest.approx(3.9, abs=0.1)
    tasks = [segment.SegmentTask(scan, {Network.SENIOR: scan.path}, None, None, job.layout)]  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segment, "_predicted", lambda *_: (tasks, []))
        patch.setattr(preprocess, "is_done", lambda *_: False)
        STEPS[step](job)
    assert calls[0]["nprocs"] == 3


@pytest.mark.parametrize(
    "function", [solid_component, entropy, partial(at_temperature, temperature=2.0)]
)
def test_on_the_grid_of_a_scan_only_the_brain_takes_memory(
    function: Callable[[Any], Any],
) -> None:
    values = np.zeros((100, 100, 100), np.float32)
    values[30:80, 30:80, 30:70] = 0.3  # a tenth
    given = values > 0 if function is solid_component else values
    tracemalloc.start()
    try:
        function(given)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * values.size


class Asked(Exception):
    """Processes were asked for."""


@pytest.mark.parametrize(("mem_gb", "expected"), [(3.0, 3), (100.0, 8)])
def test_memory_limits_the_processes_that_make_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mem_gb: float, expected: int
) -> None:
    def ask(*_: Any, nprocs: int, **__: Any) -> list[Any]:
        raise Asked(nprocs)

    monkeypatch.setattr(jobs, "map_items", ask)
    job = make_job(tmp_path, tumourfree=4, nprocs=8, mem_gb=mem_gb)
    mark_preprocessed(job, *job.selection.everything)
    with pytest.raises(Asked, match=f"^{expected}$"):
        method_of(job).make_samples(job)


def test_a_scan_with_two_truths_is_reported_without_scores(
    tmp_path: Path, calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = tmp_path / "truth"
    job = make_job(tmp_path, tumourfree=0, truth=truth)
    ambiguous, other = job.selected()
    mark_preprocessed(job, ambiguous, other)
    make(
        truth,
        f"{ambiguous.stem}_label-L_desc-a_mask.nii.gz",
        f"{ambiguous.stem}_label-L_desc-b_mask.nii.gz",
        f"{other.stem}_label-L_mask.nii.gz",
    )
    for scan in (ambiguous, other):
        write_json(job.layout.result(scan), {})
    warnings: list[str] = []
    monkeypatch.setattr(report.LOGGER, "warning", lambda text, *more: warnings.append(text % more))
    STEPS["report"](job)
    truths = {task.scan.key: task.truth for task in calls[0]["items"]}
    assert truths[ambiguous.key] is None
    assert truths[other.key].name == f"{other.stem}_label-L_mask.nii.gz"
    assert len(warnings) == 1
    assert ambiguous.key in warnings[0]
    assert "equally well" in warnings[0]
