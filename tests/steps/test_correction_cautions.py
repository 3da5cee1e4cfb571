"""What is said before a run begins of masks that a person has corrected."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from synthtumour_bids.job import Job
from synthtumour_bids.settings import Role
from synthtumour_bids.steps import cautions
from synthtumour_bids.steps.junior import with_junior
from tests.builders.jobs import make_job, mark_preprocessed, with_settings
from tests.builders.starters import write_only_starter


@pytest.fixture(autouse=True)
def starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one starter that there is."""
    return write_only_starter(tmp_path, monkeypatch)


def with_masks(job: Job, *subjects: str) -> Job:
    """The job with corrected masks of these tumour scans."""
    folder = job.settings.output_dir.parent / "edited"
    folder.mkdir(exist_ok=True)
    found = {}
    for scan in job.selection.everything:
        if scan.role is Role.TUMOUR and scan.subject in subjects:
            found[scan.key] = folder / f"{scan.stem}_label-L_mask.nii.gz"
            found[scan.key].write_bytes(scan.subject.encode())
    selection = dataclasses.replace(job.selection, corrections=found)
    return with_settings(dataclasses.replace(job, selection=selection), corrections=folder)


def told(job: Job) -> list[str]:
    return [one for one in cautions._sentences(job) if "--corrections" in one]


def test_masks_that_teach_nothing_for_want_of_persons_are_told_of(tmp_path: Path) -> None:
    job = make_job(tmp_path / "few", tumours=3, tumourfree=0)
    few, _ = with_junior(with_masks(job, "tumour0"))
    (sentence,) = told(few)
    assert "is learned from: fewer than 4 persons" in sentence
    assert "--junior train learns" in sentence
    trained, _ = with_junior(with_settings(with_masks(job, "tumour0"), junior="train"))
    assert not told(trained)
    assert not told(with_junior(job)[0])
    enough = with_masks(make_job(tmp_path / "enough", tumours=4, tumourfree=0), "tumour0")
    mark_preprocessed(enough, *enough.selection.everything)
    assert not told(with_junior(enough)[0])
