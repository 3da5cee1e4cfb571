"""What the methods text of a run says of masks that a person has drawn."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from synthtumour_bids.job import Job
from synthtumour_bids.steps.junior import with_junior
from synthtumour_bids.steps.methods_text import of_output
from tests.builders.jobs import make_job, mark_preprocessed, method_of, with_settings
from tests.builders.starters import write_only_starter


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Three persons, each with a corrected mask."""
    job = make_job(tmp_path, tumours=3, tumourfree=0)
    mark_preprocessed(job, *job.selection.everything)
    folder = tmp_path / "edited"
    folder.mkdir()
    found = {}
    for scan in job.selection.everything:
        found[scan.key] = folder / f"{scan.stem}_label-L_mask.nii.gz"
        found[scan.key].write_bytes(b"mask")
    selection = dataclasses.replace(job.selection, corrections=found)
    return with_settings(dataclasses.replace(job, selection=selection), corrections=folder)


def test_a_starter_that_segments_alone_learned_from_no_corrected_mask(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_be = with_settings(job, junior="train", boilerplate_only=True)
    assert "trains with 3 corrected masks" in of_output(to_be, method_of(to_be))
    write_only_starter(tmp_path, monkeypatch)
    alone, _ = with_junior(job)
    told = of_output(alone, method_of(alone))
    assert "Nothing was trained in this run" in told
    assert "corrected mask" not in told
