"""What is done again, what is left, and which scan fails alone in the preprocess step."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.errors import StoppedError
from synthtumour_bids.execution.outcome import Status
from synthtumour_bids.preprocessing import given_mask, registration
from synthtumour_bids.preprocessing.template_files import EMBEDDED, HOME_VARIABLE, template_print
from synthtumour_bids.settings import Role
from synthtumour_bids.steps import preprocess
from tests.builders.datasets import make
from tests.builders.jobs import make_job, mark_preprocessed, with_settings


def image_at(path: Path) -> SimpleNamespace:
    """An image of its own in every file."""
    values = np.frombuffer(str(path).encode().ljust(512)[-512:], np.uint8).reshape(8, 8, 8)
    return SimpleNamespace(findings=(), image=nib.Nifti1Image(values, np.eye(4)))


def write_template(folder: Path, head: str = "head") -> Path:
    folder.mkdir(parents=True)
    (folder / "tpl-X_T1w.nii.gz").write_text(head)
    (folder / "tpl-X_label-brain_probseg.nii.gz").write_text("brain")
    return folder


@pytest.fixture(autouse=True)
def _no_templateflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(HOME_VARIABLE, raising=False)


def test_a_preprocessing_that_is_interrupted_is_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(tmp_path)
    scan = job.selected()[0]
    mark_preprocessed(job, scan)
    assert preprocess.is_done(job, scan)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(preprocess, "check", image_at)
    monkeypatch.setattr(registration, "preprocess", lambda *_, **__: None)
    monkeypatch.setattr(preprocess, "load_head_template", lambda _: None)
    monkeypatch.setattr(preprocess, "_write", stop)
    other = with_settings(job, seed=1)
    with pytest.raises(KeyboardInterrupt):
        preprocess.preprocess_scan(preprocess.PreprocessTask(scan, other.settings))
    job.ledger.forget()  # it was another process
    assert not preprocess.is_done(job, scan)


def test_two_masks_of_one_scan_stop_that_scan_alone(tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    job = make_job(tmp_path, tumourfree=0, derivatives=(masks,))
    ambiguous, other = job.selected()
    mark_preprocessed(job, ambiguous, other)
    make(
        masks,
        f"{ambiguous.stem}_desc-brain_mask.nii.gz",
        f"{ambiguous.stem}_space-orig_desc-brain_mask.nii.gz",
    )
    records = {record.key: record for record in preprocess.run(job)}
    assert records[other.key].status is Status.SKIPPED
    assert records[ambiguous.key].status is Status.FAILED
    assert "equally well" in records[ambiguous.key].message


def test_another_head_template_calls_for_preprocessing_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(tmp_path)
    scan = job.selected()[0]
    mark_preprocessed(job, scan)
    assert preprocess.is_done(with_settings(job, skull_strip_template="embedded"), scan)
    home = tmp_path / "templateflow"
    folder = write_template(home / "tpl-OASIS30ANTs")
    monkeypatch.setenv(HOME_VARIABLE, str(home))
    assert not preprocess.is_done(job, scan)
    mark_preprocessed(job, scan)
    assert preprocess.is_done(with_settings(job, skull_strip_template="OASIS30ANTs"), scan)
    monkeypatch.delenv(HOME_VARIABLE)
    assert not preprocess.is_done(job, scan)
    assert not preprocess.is_done(with_settings(job, skull_strip_template="OASIS30ANTs"), scan)
    assert template_print(str(folder)) != template_print(
        str(write_template(tmp_path / "other" / "tpl-OASIS30ANTs", "another head"))
    )


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What preprocessing finds in every scan, without any image being read or written."""
    result = SimpleNamespace(flags=(), qc={}, template="head", already_stripped=False)
    monkeypatch.setattr(preprocess, "check", image_at)
    monkeypatch.setattr(registration, "preprocess", lambda *_, **__: result)
    monkeypatch.setattr(preprocess, "load_head_template", lambda _: None)
    monkeypatch.setattr(given_mask, "read_given_mask", lambda *_: (None, ""))
    monkeypatch.setattr(preprocess, "_write", lambda *_: [])
    return result


def test_a_scan_without_its_mask_in_the_derivatives_is_told(
    tmp_path: Path, outcome: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    masks = (tmp_path / "masks", tmp_path / "more")
    job = make_job(tmp_path, tumourfree=0, derivatives=masks)
    drawn, other = job.selected()
    make(masks[1], f"{drawn.stem}_desc-brain_mask.nii.gz")
    preprocess.run(job)
    (told,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert told.startswith(f"{other.key}: no desc-brain_mask named after it under ")
    assert all(str(folder) in told for folder in masks)
    assert told.endswith("; there is no image of sub-tumour1. Its brain was extracted.")
    caplog.clear()
    outcome.already_stripped = True  # nothing was extracted then
    make(masks[1], f"{other.stem}_brainmask.nii.gz")
    preprocess.run(with_settings(job, seed=1))
    (told,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert "sub-tumour1_brainmask.nii.gz. Its brain was read" in told
    assert told.endswith("off its background.")
    caplog.clear()
    outcome.already_stripped = False
    preprocess.run(with_settings(job, derivatives=()))
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []


def test_quality_flags_are_told(
    tmp_path: Path, outcome: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    job = make_job(tmp_path, tumours=1, tumourfree=0)
    outcome.flags = ("brain_volume_low", "registration_poor")
    preprocess.run(job)
    (told,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert told == (
        f"{job.selected()[0].key}: quality flags brain_volume_low, registration_poor; look at its "
        f"brain mask in sub-{job.selected()[0].subject}.html. "
        "If the mask is wrong, try --skull-strip force or another "
        "--skull-strip-template, or give a mask with --derivatives."
    )


@pytest.mark.usefixtures("outcome")
def test_the_head_template_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(tmp_path)

    def told() -> list[str]:
        caplog.clear()
        with caplog.at_level("INFO", logger=preprocess.LOGGER.name):
            preprocess.run(job)
        return [record.message for record in caplog.records if "template" in record.message]

    (embedded,) = told()
    assert EMBEDDED in embedded
    assert "--skull-strip-template" in embedded
    assert told() == []  # there is nothing left to do
    folder = write_template(tmp_path / "templateflow" / "tpl-MNI152NLin2009cAsym")
    monkeypatch.setenv(HOME_VARIABLE, str(folder.parent))
    (found,) = told()
    assert f"MNI152NLin2009cAsym in {folder}" in found


def test_a_stop_is_obeyed_while_finished_scans_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(_: object) -> str:
        raise StoppedError("no time left")

    job = make_job(tmp_path)
    mark_preprocessed(job, job.selection.everything[0])
    monkeypatch.setattr(preprocess.PreprocessTask, "fingerprint", stopped)
    with pytest.raises(StoppedError):
        preprocess.run(job)


@pytest.mark.usefixtures("outcome")
def test_a_file_that_is_replaced_meanwhile_is_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(tmp_path, tumours=1, tumourfree=0)
    (scan,) = job.selected()

    def replace_file(*_: object) -> list[Path]:
        scan.path.write_bytes(b"another scan")
        return []

    monkeypatch.setattr(preprocess, "_write", replace_file)
    preprocess.run(job)
    assert not preprocess.is_done(job, scan)
    preprocess.run(job)
    assert preprocess.is_done(job, scan)


def test_tumourfree_scans_are_not_preprocessed_for_given_networks(
    tmp_path: Path, outcome: SimpleNamespace
) -> None:
    job = make_job(tmp_path, model=tmp_path)
    records = preprocess.run(job)
    assert [record.key for record in records] == [s.key for s in job.selected(Role.TUMOUR)]


def test_one_image_under_two_names_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = make_job(tmp_path)
    one, other, host, _ = (*job.selected(Role.TUMOUR), *job.selected(Role.TUMOURFREE))
    mark_preprocessed(job, *job.selected())
    mark_preprocessed(job, one, other, host, image="same")
    preprocess.run(job)
    assert (
        f"{other.key} is the same image as {one.key}, and both count as one person" in caplog.text
    )
    assert f"{host.key} gets no synthetic tumours" in caplog.text
