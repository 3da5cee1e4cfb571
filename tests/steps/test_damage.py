"""Outputs that were damaged since: named, and made again by the next run."""

from __future__ import annotations

import errno
import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from synthtumour_bids.bids.derivatives import sidecar_path
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.files import write_json
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Layout
from synthtumour_bids.settings import Step
from synthtumour_bids.steps import frequency, scan_report, tables
from synthtumour_bids.steps.damage import naming_damage
from tests.builders.jobs import mark_preprocessed
from tests.builders.reports import make_head, segmented, task_of


def finished(folder: Path) -> tuple[Job, Scan]:
    """A scan that is preprocessed and segmented, and reported on."""
    job, scan = segmented(folder, make_head())
    layout = job.layout
    mark_preprocessed(job, scan, fingerprint="p")
    stamp = job.ledger.read(Step.PREPROCESS, scan.key)
    outputs = [layout.native_image(scan), layout.native_brain(scan), layout.transform(scan)]
    job.ledger.mark(Step.PREPROCESS, scan.key, "p", outputs, scan=scan, **stamp.details)
    masks = [
        layout.native(scan, label="L", suffix="mask"),
        layout.standard(scan, label="L", suffix="mask"),
    ]
    for mask in masks:
        write_json(sidecar_path(mask), {})
    job.ledger.mark(Step.SEGMENT, scan.key, "s", [*masks, layout.result(scan)], scan=scan)
    report(job, scan)
    return job, scan


def report(job: Job, scan: Scan) -> None:
    scan_report.report_scan(task_of(job, scan, truth=None, viewer=False))


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def steps(job: Job, scan: Scan) -> set[str]:
    job.ledger.forget()
    return {step for step in (Step.PREPROCESS, Step.SEGMENT) if job.ledger.finished(step, scan.key)}


def sidecar(layout: Layout, scan: Scan) -> Path:
    return sidecar_path(layout.native(scan, label="L", suffix="mask"))


@pytest.mark.parametrize(
    ("of", "left"),
    [
        (Layout.native_brain, {Step.SEGMENT}),
        (Layout.transform, {Step.SEGMENT}),
        (Layout.result, {Step.PREPROCESS}),
        (sidecar, {Step.PREPROCESS}),
    ],
)
def test_a_damaged_output_is_named_and_made_again(
    tmp_path: Path, of: Callable[[Layout, Scan], Path], left: set[Step]
) -> None:
    job, scan = finished(tmp_path)
    assert steps(job, scan) == {Step.PREPROCESS, Step.SEGMENT}
    path = of(job.layout, scan)
    cut(path)
    for _ in range(2):  # also while nothing has made it again
        with pytest.raises(DataError, match=f"The output {path} cannot be read any more"):
            report(job, scan)
        assert steps(job, scan) == left


def test_an_emptied_output_is_not_done_and_named(tmp_path: Path) -> None:
    job, scan = finished(tmp_path)
    mask = job.layout.native(scan, label="L", suffix="mask")
    mask.write_bytes(b"")
    assert steps(job, scan) == {Step.PREPROCESS}
    with pytest.raises(DataError, match=rf"{mask} .* It holds no whole image\."):
        report(job, scan)


def test_an_output_whose_content_is_not_fetched_stays_done(tmp_path: Path) -> None:
    job, scan = finished(tmp_path)
    mask = job.layout.native(scan, label="L", suffix="mask")
    mask.write_text("/annex/objects/MD5E-s352--0.nii.gz\n")
    with pytest.raises(OSError, match="gzipped"):
        report(job, scan)
    assert steps(job, scan) == {Step.PREPROCESS, Step.SEGMENT}


def test_scores_that_cannot_be_read_count_as_none(tmp_path: Path) -> None:
    job, scan = finished(tmp_path)
    write_json(job.layout.scores(scan.record), {})
    job.layout.scores(scan.record).write_text("")
    report(job, scan)
    assert steps(job, scan) == {Step.PREPROCESS, Step.SEGMENT}


@pytest.mark.parametrize("error", [ValueError("a mistake"), OSError(errno.EIO, "the disk")])
def test_other_errors_stay_what_they_are(tmp_path: Path, error: Exception) -> None:
    job, scan = finished(tmp_path)
    if isinstance(error, OSError):
        cut(job.layout.native_brain(scan))  # which a disk that fails does not tell
    with pytest.raises(type(error), match=str(error.args[-1])), naming_damage(job.ledger, scan.key):
        raise error
    assert steps(job, scan) == {Step.PREPROCESS, Step.SEGMENT}


@pytest.mark.parametrize("failure", [OSError(errno.ESTALE, "stale"), MemoryError()])
def test_a_disk_that_fails_while_damage_is_looked_for_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    job, scan = finished(tmp_path)
    monkeypatch.setattr(gzip, "open", fail)
    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(ValueError, match="a mistake"), naming_damage(job.ledger, scan.key):
        raise ValueError("a mistake")
    monkeypatch.undo()
    assert steps(job, scan) == {Step.PREPROCESS, Step.SEGMENT}


def test_the_map_of_the_cohort_waits_for_a_damaged_mask(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job, scan = finished(tmp_path)
    mask = job.layout.standard(scan, label="L", suffix="mask")
    cut(mask)
    frequency.write(job)
    assert f"The output {mask} cannot be read any more" in caplog.text
    assert steps(job, scan) == {Step.PREPROCESS}


def test_a_scan_that_the_tables_lack_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    job, scan = finished(tmp_path)
    monkeypatch.setattr(frequency, "write", lambda _: None)
    tables.write(job)
    assert "the tables lack its scan" not in caplog.text
    job.layout.result(scan).write_text("")
    tables.write(job)
    assert f"{job.layout.result(scan)} cannot be read, so that the tables lack" in caplog.text
