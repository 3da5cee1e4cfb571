"""Whose brightness is the norm, and when it is made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np

from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.execution.outcome import Status
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.segmentation.norm import FEWEST_PEOPLE
from synthtumour_bids.segmentation.norm_file import ABOUT, NORM
from synthtumour_bids.settings import Role
from synthtumour_bids.steps import norm
from tests.builders.jobs import (
    make_job,
    make_scan,
    mark_preprocessed,
    mark_trained,
    with_scans,
    with_settings,
)

SHAPE = (16, 16, 16)


def hosts_of(root: Path, count: int) -> list[Scan]:
    return [make_scan(root / "bids", f"h{n:02d}", Role.TUMOURFREE) for n in range(count)]


def cohort(root: Path, count: int, *more: Scan) -> Job:
    """Hosts of a senior, on the template grid, and others."""
    hosts = hosts_of(root, count)
    job = make_job(root, scans=(*hosts, *more))
    mark_preprocessed(job, *job.selection.everything, fingerprint="p")
    mark_trained(job, Network.JUNIOR)
    mark_trained(job, Network.SENIOR, members={host.key: "p" for host in hosts})
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[0, 3] = -2.0 * (SHAPE[0] - 1)
    for number, scan in enumerate(job.selection.everything):
        image = np.random.default_rng(number).normal(100, 5, SHAPE).astype(np.float32)
        for where, values in (
            (job.layout.standard_image(scan), image),
            (job.layout.standard_brain(scan), np.ones(SHAPE, np.uint8)),
        ):
            write_image(where, nib.Nifti1Image(values, affine), {})
    return job


def test_the_people_who_taught_are_the_norm_and_nobody_else(tmp_path: Path) -> None:
    late = make_scan(tmp_path / "bids", "late", Role.TUMOURFREE)
    held_out = make_scan(tmp_path / "bids", "aside", Role.HELD_OUT)
    again = make_scan(tmp_path / "bids", "h00", Role.TUMOURFREE, session="2")
    job = cohort(tmp_path, FEWEST_PEOPLE, late, held_out, again)
    assert not norm.is_done(job)
    assert norm.norm_of(job) is None
    assert [one.status for one in norm.run(job)] == [Status.DONE]
    stored = norm.norm_of(job)
    assert stored is not None
    assert stored.people == FEWEST_PEOPLE
    assert norm.is_done(job)
    assert [one.status for one in norm.run(job)] == [Status.SKIPPED]
    assert norm.norm_of(job) == stored
    # Another run uses it as it is.
    given = with_settings(job, model=str(job.layout.models))
    assert norm.run(given) == []
    assert norm.norm_of(given) == replace(stored, folder=job.layout.models)
    assert norm.norm_of(with_settings(job, keep_mask=True)) == stored


def test_too_few_people_are_none_and_their_norm_of_before_goes(tmp_path: Path) -> None:
    few = cohort(tmp_path / "few", FEWEST_PEOPLE - 1)
    assert norm.is_done(few)
    assert norm.run(few) == []
    job = cohort(tmp_path / "more", FEWEST_PEOPLE)
    norm.run(job)
    fewer = with_scans(job, *job.selection.everything[1:])
    assert not norm.is_done(fewer)
    assert norm.run(fewer) == []
    assert norm.is_done(fewer)
    assert norm.norm_of(fewer) is None
    assert not any((job.layout.models / name).exists() for name in (NORM, ABOUT))


def test_one_bad_scan_does_not_stop_the_others(tmp_path: Path) -> None:
    job = cohort(tmp_path, FEWEST_PEOPLE + 1)
    job.layout.standard_image(job.selection.everything[-1]).write_bytes(b"no image")
    assert [one.status for one in norm.run(job)] == [Status.DONE]
    stored = norm.norm_of(job)
    assert stored is not None
    assert stored.people == FEWEST_PEOPLE
