"""Whose brightness is the norm, and when it is made."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.execution.outcome import Status
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.ledger import COHORT
from synthtumour_bids.segmentation.model_card import CHECKPOINT
from synthtumour_bids.segmentation.norm import FEWEST_PEOPLE
from synthtumour_bids.settings import Role
from synthtumour_bids.steps import norm
from tests.builders.jobs import (
    make_job,
    make_scan,
    mark_preprocessed,
    mark_trained,
    with_scans,
    with_settings,
    write_network,
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
    bids = tmp_path / "bids"
    late = make_scan(bids, "late", Role.TUMOURFREE)
    again = make_scan(bids, "h00", Role.TUMOURFREE, session="2")
    copies = [make_scan(bids, f"copy{n}", Role.TUMOURFREE) for n in range(3)]
    others = [
        make_scan(bids, role.value, role) for role in (Role.TUMOUR, Role.ANNOTATED, Role.HELD_OUT)
    ]
    job = cohort(tmp_path, FEWEST_PEOPLE, late, again, *copies, *others)
    taught = [scan for scan in job.selection.everything[: FEWEST_PEOPLE + 5] if scan != late]
    mark_trained(job, Network.SENIOR, members={scan.key: "p" for scan in taught})
    for copy, other in zip(copies, others, strict=True):
        mark_preprocessed(job, copy, other, fingerprint="p", image=f"image of {other.subject}")
    hosts = {scan.key for scan in job.selection.everything[:FEWEST_PEOPLE]}
    assert {scan.key for scan in norm.people_of(job)} == hosts


def test_a_norm_is_made_once_for_a_senior(tmp_path: Path) -> None:
    job = cohort(tmp_path, FEWEST_PEOPLE)
    assert norm.norm_of(job) is None
    assert [one.status for one in norm.run(job)] == [Status.DONE]
    stored = norm.norm_of(job)
    assert stored is not None
    assert stored.people == FEWEST_PEOPLE
    assert [one.status for one in norm.run(job)] == [Status.SKIPPED]
    # Who is left out of a later run was among them all the same.
    fewer = with_scans(job, *job.selection.everything[1:])
    assert [one.status for one in norm.run(fewer)] == [Status.SKIPPED]
    assert norm.norm_of(fewer) == norm.norm_of(job) == stored
    # Another run uses it; masks that are kept as they are, not.
    given = with_settings(job, model=str(job.layout.models))
    assert norm.run(given) == []
    assert norm.norm_of(given) == stored
    assert norm.norm_of(with_settings(job, keep_mask=True)) is None
    # Another senior has learned from others.
    (job.layout.network(Network.SENIOR) / CHECKPOINT).write_text("other weights")
    write_network(job.layout.network(Network.SENIOR))
    assert norm.norm_of(job) is None
    assert norm.run(with_scans(job, *job.selection.everything[1:])) == []
    assert not list(job.layout.models.glob("norm.*")), "nothing is left of whom it was made of"
    assert [one.status for one in norm.run(job)] == [Status.DONE]
    assert norm.norm_of(job) is not None


def test_too_few_people_are_none(tmp_path: Path) -> None:
    few = cohort(tmp_path, FEWEST_PEOPLE - 1)
    assert norm.run(few) == []
    assert norm.norm_of(few) is None


@pytest.mark.parametrize("number", [0, 4])
@pytest.mark.parametrize("content", [b"", b"no image"])
def test_one_bad_scan_does_not_stop_the_others(
    tmp_path: Path, number: int, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    job = cohort(tmp_path, FEWEST_PEOPLE + 1)
    whole = job.layout.standard_image(job.selection.everything[number]).read_bytes()
    job.layout.standard_image(job.selection.everything[number]).write_bytes(content)
    assert [one.status for one in norm.run(job)] == [Status.DONE]
    stored = norm.norm_of(job)
    assert stored is not None
    assert stored.people == FEWEST_PEOPLE
    assert job.selection.everything[number].key in caplog.text
    # So does a brain mask of another grid.
    job.layout.standard_image(job.selection.everything[number]).write_bytes(whole)
    other = nib.Nifti1Image(np.ones((4, 4, 4), np.uint8), np.eye(4))
    write_image(job.layout.standard_brain(job.selection.everything[number]), other, {})
    job.ledger.clear(COHORT, norm.NAME)
    assert [one.status for one in norm.run(job)] == [Status.DONE]
    # Where too few are left, that is found once.
    job = cohort(tmp_path / "fewer", FEWEST_PEOPLE)
    job.layout.standard_image(job.selection.everything[number]).write_bytes(content)
    assert norm.run(job) == []
    assert "Too few tumour-free scans" in caplog.text
    caplog.clear()
    norm.run(job)
    assert not caplog.text
    assert norm.norm_of(job) is None
