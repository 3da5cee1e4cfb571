"""Corrected masks are brought to the template grid; a bad one stops nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import ants
import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.execution.outcome import Status
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.methods import corrections as effect
from synthtumour_bids.methods import lineage
from synthtumour_bids.steps import corrections
from tests.builders.fabrication_scans import ball, brain_of
from tests.builders.jobs import (
    make_job,
    mark_preprocessed,
    mark_trained,
    method_of,
    with_settings,
)

GRID = np.diag([2.0, 2.0, 2.0, 1.0])
TUMOUR = ball((14, 16, 12), 14, spacing=(2, 2, 2))


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Two tumour scans that lie on the template grid already."""
    job = make_job(tmp_path, tumours=2, tumourfree=0)
    mark_preprocessed(job, *job.selection.everything)
    brain = nib.Nifti1Image(brain_of().astype(np.uint8), GRID)
    for scan in job.selection.everything:
        layout = job.layout
        for path in (
            layout.native_image(scan),
            layout.native_brain(scan),
            layout.standard_brain(scan),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            nib.save(brain, path)
        identity = ants.create_ants_transform(dimension=3)
        ants.write_transform(identity, str(layout.transform(scan)))
    return job


def give(job: Job, folder: Path, *values: np.ndarray) -> Job:
    """The job with one corrected mask a scan."""
    folder.mkdir(exist_ok=True)
    found = {}
    for scan, mask in zip(job.selection.everything, values, strict=False):
        found[scan.key] = folder / f"{scan.stem}_label-L_mask.nii.gz"
        nib.save(nib.Nifti1Image(mask.astype(np.uint8), GRID), found[scan.key])
    selection = dataclasses.replace(job.selection, corrections=found)
    return with_settings(dataclasses.replace(job, selection=selection), corrections=folder)


def test_masks_are_carried_kept_without_the_flag_and_taken_back(job: Job, tmp_path: Path) -> None:
    mask = TUMOUR
    given = give(job, tmp_path / "edited", mask, np.ones_like(mask))
    first, second = job.selection.everything
    before = given.selection.corrections[first.key].read_bytes()
    outcomes = {one.key: one for one in corrections.run(given)}
    assert outcomes[first.key].status is Status.DONE
    assert outcomes[second.key].status is Status.FAILED
    assert "lie inside the brain" in outcomes[second.key].message
    assert "--corrections" in outcomes[second.key].message
    carried = job.layout.correction(first)
    np.testing.assert_array_equal(np.asanyarray(nib.load(carried).dataobj), mask)
    assert set(effect.carried(given)) == {first.key}
    assert given.selection.corrections[first.key].read_bytes() == before

    assert [one.status for one in corrections.run(given)] == [Status.SKIPPED, Status.FAILED]
    assert corrections.run(job) == []
    assert set(effect.carried(job)) == {first.key}

    corrections.run(give(job, tmp_path / "others"))
    assert not carried.exists()
    assert effect.carried(job) == {}
    assert job.ledger.failures() == []


def test_masks_of_people_who_are_held_out_by_another_name_are_named(
    job: Job, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = job.selection.everything
    given = with_settings(give(job, tmp_path / "edited", TUMOUR), hold_out=(second.subject,))
    corrections.run(given)
    assert set(effect.carried(given)) == {first.key}
    assert "by another name" not in caplog.text
    mark_preprocessed(job, first, second, image="of one person")
    assert corrections.run(given) == []
    assert f"The corrected masks of {first.key} are not learned from" in caplog.text
    assert effect.carried(given) == {}
    caplog.clear()
    corrections.run(with_settings(job, hold_out=(second.subject,)))
    assert not caplog.text, "without the flag"


def test_an_emptied_mask_takes_its_label_away_and_no_run_fails_for_it(
    job: Job, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    first, second = job.selection.everything
    given = give(job, tmp_path / "edited", TUMOUR, TUMOUR)
    corrections.run(given)
    assert effect.emptied(given) == set()
    assert "are empty" not in caplog.text
    before = effect.carried(given)
    given = give(job, tmp_path / "edited", 0 * TUMOUR, TUMOUR)
    statuses = {one.key: one.status for one in corrections.run(given)}
    assert statuses == {first.key: Status.DONE, second.key: Status.SKIPPED}
    assert f"The corrected masks of {first.key} are empty" in caplog.text
    assert not job.layout.correction(first).exists()
    after = effect.carried(given)
    assert after[first.key] != before[first.key], "which calls for a new senior"
    for one in (given, job):
        assert effect.emptied(one) == {first.key}
        assert effect.count_to_teach(one) == 1
    assert [one.status for one in corrections.run(given)] == [Status.SKIPPED] * 2
    given.selection.corrections[first.key].write_bytes(b"")
    assert {one.status for one in corrections.run(given)} == {Status.FAILED, Status.SKIPPED}
    assert effect.carried(given) == effect.carried(job) == after, "the empty one still counts"


@pytest.mark.parametrize(("mask", "why"), [(0 * TUMOUR, "is empty"), (255 * TUMOUR, "0 and 1")])
def test_a_mask_that_a_version_before_refused_calls_for_no_training(
    job: Job, tmp_path: Path, mask: np.ndarray, why: str
) -> None:
    given = give(job, tmp_path / "edited", mask)
    (key, current), *_ = effect.in_effect(given).items()
    about = {effect.PREPROCESSING: job.preprocessing_fingerprints(job.selection.everything)[key]}
    first = job.selection.everything[0]
    job.ledger.mark(effect.STEP, key, current, scan=first, **about, refused=True)
    mark_trained(given)
    (outcome,) = corrections.run(given)
    assert outcome.status is Status.FAILED
    assert why in outcome.message
    assert effect.in_effect(given) == {}
    assert lineage.is_finished(given, method_of(given), Network.SENIOR)


def test_it_is_told_how_much_of_a_mask_the_brain_mask_leaves_out(
    job: Job, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outside = np.argwhere(brain_of() == 0)[: TUMOUR.sum() // 3]
    beyond = TUMOUR.copy()
    beyond[tuple(outside.T)] = True
    first, _ = job.selection.everything
    corrections.run(give(job, tmp_path / "edited", beyond, TUMOUR))
    (told,) = (one.getMessage() for one in caplog.records if one.levelname == "WARNING")
    assert told.startswith(f"{first.key}: 25 % of the corrected mask")
    carried = np.asanyarray(nib.load(job.layout.correction(first)).dataobj)
    np.testing.assert_array_equal(carried, TUMOUR)


def out_of_reach(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def saved_otherwise(path: Path) -> None:
    nib.save(nib.Nifti1Image((0.9 * TUMOUR).astype(np.float32), GRID), path)


@pytest.mark.parametrize("spoil", [out_of_reach, saved_otherwise])
def test_a_mask_that_cannot_be_used_any_more_costs_no_training(
    job: Job, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    def is_finished(job: Job) -> bool:
        return lineage.is_finished(job, method_of(job), Network.SENIOR)

    first, _ = job.selection.everything
    given = give(job, tmp_path / "edited", TUMOUR)
    corrections.run(given)
    taught = effect.carried(given)
    mark_trained(given, corrections=taught)
    assert is_finished(given)
    spoil(given.selection.corrections[first.key])
    for _ in range(2):
        (outcome,) = corrections.run(given)
        assert outcome.status is Status.FAILED
        assert corrections.BEFORE in outcome.message
        assert effect.carried(given) == effect.carried(job) == taught
        assert is_finished(given)
        assert is_finished(job), "without the flag"
        assert job.layout.correction(first).is_file()
    given.selection.corrections[first.key].unlink()
    (outcome,) = corrections.run(give(job, tmp_path / "edited", TUMOUR))
    assert outcome.status is Status.DONE
    assert job.ledger.failures() == []
    assert [one.status for one in corrections.run(given)] == [Status.SKIPPED]
    assert is_finished(given)
    corrections.run(give(job, tmp_path / "others"))
    assert not is_finished(job), "taken back"
