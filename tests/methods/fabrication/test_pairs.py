"""How all pairs are made where some scan fails, and what is recorded of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthtumour_bids.bids.classes import TumourClass
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.execution.pool import Result
from synthtumour_bids.files import write_json
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.methods import lineage
from synthtumour_bids.methods.fabrication import pairs
from synthtumour_bids.methods.fabrication.coarse_samples import (
    DrawTask,
    Sample,
    Source,
    StoreTask,
    stored_name,
)
from synthtumour_bids.methods.fabrication.refined_samples import QUALITY
from synthtumour_bids.methods.fabrication.stored_scans import StoredScan, store_images, store_label
from synthtumour_bids.settings import Method, Role
from tests.builders.fabrication_scans import annotated, host
from tests.builders.jobs import make_job, make_scan, mark_preprocessed, method_of

CLASSES = (TumourClass(1, "oedema"), TumourClass(2, "core"))


def source(scan: Scan, folder: Path) -> Source:
    """A stored scan, annotated or not."""
    drawn = scan.role is Role.ANNOTATED
    made = annotated(contrasts=1) if drawn else host(contrasts=1)
    folder.mkdir(exist_ok=True)
    name = stored_name(scan)
    to = (np.eye(4), folder, name)
    stored = StoredScan(
        name,
        store_images(made.images, *to, {}),
        store_label(made.brain, *to, "brain"),
        store_label(made.classes, *to, "label") if drawn else None,
        scan.uri,
        frozenset({scan.person}),
    )
    return Source(scan, stored, ())


@pytest.fixture
def job(tmp_path: Path) -> Job:
    scans = tuple(
        make_scan(tmp_path / "bids", f"{label}{number}", role)
        for label, role, count in (("a", Role.ANNOTATED, 4), ("h", Role.TUMOURFREE, 3))
        for number in range(count)
    )
    job = make_job(tmp_path, scans=scans, method=Method.FABRICATION)
    mark_preprocessed(job, *scans, fingerprint="p")
    return job


def make(
    job: Job,
    monkeypatch: pytest.MonkeyPatch,
    *,
    stored: str = "",
    drawn: str = "",
    classes: Sequence[TumourClass] = CLASSES,
) -> None:
    """Make the pairs, without a GAN; the participants named fail in one of the two ways."""
    work = job.settings.work_dir.parent

    def store(_: Job, scans: Sequence[Scan]) -> list[Result[StoreTask, Source]]:
        tasks = [StoreTask(scan, job.layout, None, work) for scan in scans]
        return [
            Result(task, None, "no")
            if task.scan.subject == stored
            else Result(task, source(task.scan, work / "scans"))
            for task in tasks
        ]

    def draw(_: Job, hosts: Any, own: Any, purpose: str, __: int) -> list[Result[DrawTask, Any]]:
        results: list[Result[DrawTask, Any]] = []
        for one in (*hosts, *own):
            task = DrawTask(one, (), purpose, (0,), work, job.settings)
            files = source(make_scan(work, f"{purpose}{one.scan.subject}", Role.ANNOTATED), work)
            origin = one.scan.uri, "lesion", 0, None, 1.0
            sample = Sample(files.stored, purpose, *origin, None)  # type: ignore[arg-type]
            failed = one.scan.subject == drawn
            results.append(Result(task, None, "no") if failed else Result(task, [sample]))
        return results

    def refine(*_: Any) -> list[StoredScan]:
        write_json(job.layout.fabricator / QUALITY, {})
        return []

    monkeypatch.setattr(pairs, "store_sources", store)
    monkeypatch.setattr(pairs, "draw_samples", draw)
    monkeypatch.setattr(pairs, "train_fabricator", lambda *_: None)
    monkeypatch.setattr(pairs, "refine_samples", refine)
    monkeypatch.setattr(pairs, "show_samples", lambda *_: None)
    pairs.make_pairs(job, job.selection.everything, classes, current(job))


def test_a_class_that_is_lost_on_the_grid_is_told_as_one_that_is_drawn_nowhere(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes a class out of the tables that is drawn has scans that fail for it."""
    told = (
        "No annotated scan has class cyst on the grid of 4 mm.* drawn nowhere, take it out of .*"
        "where it is, .*merge it with another class in masks and tables, or .* finer --profile"
    )
    with pytest.raises(DataError, match=told):
        make(job, monkeypatch, classes=(*CLASSES, TumourClass(3, "cyst")))


def current(job: Job) -> str:
    return method_of(job)._samples_fingerprint(job)


def known(job: Job) -> set[str]:
    """Whose scans the samples that are there were made from, as far as is recorded."""
    found = lineage.made_from(job, pairs.NAME, current(job), job.selection.everything)
    return {scan.subject for scan in found}


@pytest.mark.parametrize("subject", ["a1", "h1"])
def test_a_scan_that_failed_as_a_host_alone_has_taught(
    job: Job, monkeypatch: pytest.MonkeyPatch, subject: str
) -> None:
    make(job, monkeypatch, drawn=subject)
    material = method_of(job).material(job, Network.JUNIOR)
    real = {one.subject for one in job.selection.everything if one.role is Role.ANNOTATED}
    assert sum(case.kind == "annotated scans" for case in material.cases) == len(real)
    assert known(job) == {one.subject for one in job.selection.everything}
    assert {one.subject for one in material.scans} == known(job)
    assert not lineage.is_made_from(job, pairs.NAME, current(job), job.selection.everything)


def test_a_scan_that_could_not_be_stored_has_not(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    make(job, monkeypatch, stored="a1")
    assert known(job) == {one.subject for one in job.selection.everything} - {"a1"}
    assert not lineage.is_made_from(job, pairs.NAME, current(job), job.selection.everything)
    make(job, monkeypatch)
    assert lineage.is_made_from(job, pairs.NAME, current(job), job.selection.everything)
