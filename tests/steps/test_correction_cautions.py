"""What is said before a run begins of masks that a person has corrected."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.methods.corrections import EMPTY, PREPROCESSING, REFUSED, STEP, in_effect
from synthtumour_bids.settings import Role, Step
from synthtumour_bids.steps import cautions, tables
from synthtumour_bids.steps.junior import with_junior
from tests.builders.jobs import (
    make_job,
    mark_preprocessed,
    mark_trained,
    with_settings,
    write_network,
)
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


def test_masks_that_the_senior_does_not_know_are_told_of_where_nothing_is_trained(
    tmp_path: Path,
) -> None:
    job = make_job(tmp_path, tumours=4, tumourfree=0)
    mark_preprocessed(job, *job.selection.everything)
    segments = with_settings(with_masks(job, "tumour0"), steps=(Step.SEGMENT, Step.REPORT))
    assert not told(segments), "without a senior segmenting fails, with a sentence of its own"
    mark_trained(job)
    (sentence,) = told(segments)
    assert "has learned from other masks" in sentence
    assert len(told(with_settings(segments, steps=tuple(Step), reports_only=True))) == 1
    assert not told(with_settings(segments, steps=(Step.PREPROCESS,))), "of an array"
    assert not told(with_settings(segments, steps=tuple(Step)))
    mark_trained(job, corrections=in_effect(segments))
    assert told(segments) == [], "it has learned from them"


def test_masks_that_teach_and_may_be_scored_are_told_of(tmp_path: Path) -> None:
    job = with_settings(make_job(tmp_path, tumours=4, tumourfree=0), truth=tmp_path)
    assert not told(job)
    (sentence,) = told(with_masks(job, "tumour0", "tumour2"))
    assert "masks of sub-tumour0_FLAIR, sub-tumour2_FLAIR (--corrections) teach" in sentence
    assert "left out of the mean Dice" in sentence
    mark_preprocessed(job, *job.selection.everything)
    given = with_masks(job, "tumour0", "tumour1", "tumour2")
    keys = [scan.key for scan in job.selection.everything]
    current = in_effect(given)
    for key, why in ((keys[0], REFUSED), (keys[1], EMPTY)):
        about = {PREPROCESSING: job.preprocessing_fingerprints(job.selection.everything)[key]}
        job.ledger.mark(STEP, key, current[key], **about, **{why: True})
    mark_trained(job, validating=[keys[3]])
    (sentence,) = told(given)
    assert "masks of sub-tumour2_FLAIR (--corrections) teach" in sentence
    mark_trained(job, validating=[keys[2]])
    assert not told(given), "one is refused, one is empty, and one chooses the epoch"
    for other in ({"truth": None}, {"steps": (Step.PREPROCESS, Step.TRAIN)}):
        assert not told(with_settings(with_masks(job, "tumour0"), **other))


def test_the_summary_leaves_out_whom_the_senior_of_the_folder_learned_from(tmp_path: Path) -> None:
    job = make_job(tmp_path, tumours=4, tumourfree=0)
    assert tables._learned(job) == set()
    first, second, *_ = job.selection.everything
    card = {"Corrections": {"Count": 2, "TimesDrawn": 5, "Scans": [first.uri, second.uri]}}
    write_network(job.layout.network(Network.SENIOR), details=card)
    assert tables._learned(job) == {first.name, second.name}
    assert tables._learned(with_settings(job, model=job.layout.models)) == set()
