"""What is forgotten of images that could not be used."""

from __future__ import annotations

from pathlib import Path

from synthtumour_bids.ledger import Failure, Identity
from synthtumour_bids.settings import Step
from synthtumour_bids.steps.refusals import refused
from tests.builders.jobs import make_job, make_scan, with_settings


def test_failures_of_images_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    there = job.selected()[0]
    gone, other = (make_scan(job.settings.bids_dir, name) for name in ("gone", "other"))
    for scan in (there, gone, other):
        job.ledger.mark_failure(Failure(Step.PREPROCESS, Identity.of(scan), "tumour", "damaged"))
    narrow = with_settings(job, participant_label=(there.subject, "gone"))
    assert refused(narrow, Step.PREPROCESS) == []
    assert {one.scan.subject for one in job.ledger.failures()} == {there.subject, "other"}
    other.path.parent.mkdir(parents=True)
    other.path.touch()  # left out by a filter, perhaps
    refused(job, Step.PREPROCESS)
    assert {one.scan.subject for one in job.ledger.failures()} == {there.subject, "other"}
    other.path.unlink()
    refused(job, Step.PREPROCESS)
    assert {one.scan.subject for one in job.ledger.failures()} == {there.subject}
