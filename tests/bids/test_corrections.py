"""Corrected masks: which belong to which scan, and which are left out with a sentence."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from synthtumour_bids.bids.corrections import find_corrections
from synthtumour_bids.bids.description import check_folders, write_dataset_description
from synthtumour_bids.errors import DataError, UsageError
from synthtumour_bids.settings import Role, Settings
from tests.builders.datasets import put
from tests.builders.jobs import make_scan


def test_masks_named_as_the_app_names_its_own_are_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bids, edited = tmp_path / "bids", tmp_path / "edited"
    scans = [
        make_scan(bids, "01"),
        make_scan(bids, "02", session="a"),
        make_scan(bids, "03"),
        make_scan(bids, "04"),
        make_scan(bids, "05", Role.TUMOURFREE),
    ]
    put(
        edited,
        "sub-01/anat/sub-01_label-L_mask.nii.gz",
        "sub-01/anat/sub-01_label-L_desc-junior_mask.nii.gz",
        "sub-02/ses-a/anat/sub-02_ses-a_label-L_mask.nii",
        "sub-03/anat/sub-03_space-T1w_label-L_mask.nii.gz",
        "sub-04/anat/sub-04_label-L_mask.nii.gz",
        "sub-05/anat/sub-05_label-L_mask.nii.gz",
    )
    settings = Settings(bids, tmp_path / "out", hold_out=("04",), corrections=edited)
    with caplog.at_level(logging.WARNING):
        found = find_corrections(scans, settings)
    assert {key: path.name for key, path in found.items()} == {
        "raw/sub-01_FLAIR": "sub-01_label-L_mask.nii.gz",
        "raw/sub-02_ses-a_FLAIR": "sub-02_ses-a_label-L_mask.nii",
    }
    held_out, elsewhere, others = caplog.messages
    assert "--hold-out" in held_out
    assert "sub-04_label-L_mask" in held_out
    assert "another grid" in elsewhere
    assert "sub-03_space-T1w" in elsewhere
    assert "named after no tumour scan" in others
    assert "sub-05_label-L" in others


def test_one_mask_is_of_one_scan(tmp_path: Path) -> None:
    one = make_scan(tmp_path, "01")
    scans = [replace(one, entities=(*one.entities, ("run", run))) for run in ("1", "2")]
    put(tmp_path / "edited", "sub-01/anat/sub-01_label-L_mask.nii.gz")
    settings = Settings(tmp_path, tmp_path / "out", corrections=tmp_path / "edited")
    with pytest.raises(DataError, match="could be drawn on any of"):
        find_corrections(scans, settings)
    assert len(find_corrections(scans[:1], settings)) == 1


def test_a_mask_that_fits_a_scan_with_one_of_its_own_is_refused(tmp_path: Path) -> None:
    """One was copied to the name of the run that it was drawn on, and left where it was, too."""
    one, edited = make_scan(tmp_path, "01"), tmp_path / "edited"
    scans = [replace(one, entities=(*one.entities, ("run", run))) for run in ("1", "2")]
    put(
        edited,
        "sub-01/anat/sub-01_label-L_mask.nii.gz",
        "sub-01/anat/sub-01_run-1_label-L_mask.nii.gz",
    )
    settings = Settings(tmp_path, tmp_path / "out", corrections=edited)
    words = r"sub-01_label-L_mask.*could be drawn on any of .*run-2_FLAIR.*run-1_FLAIR"
    with pytest.raises(DataError, match=words):
        find_corrections(scans, settings)
    put(edited, "sub-01/anat/sub-01_run-2_label-L_mask.nii.gz")
    found = find_corrections(scans, settings)
    assert [path.name[7:12] for path in found.values()] == ["run-1", "run-2"]


def test_a_mask_that_fits_an_image_left_out_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, edited = make_scan(tmp_path, "01"), tmp_path / "edited"
    second = replace(one, entities=(*one.entities, ("run", "2")))
    settings = Settings(tmp_path, tmp_path / "out", corrections=edited)
    names = ["part-phase_run-2_FLAIR.nii.gz", "run-2_T1w.nii.gz", "run-2_FLAIR.nii.gz"]
    put(tmp_path, *(f"sub-01/anat/sub-01_{name}" for name in names))
    put(edited, "sub-01/anat/sub-01_label-L_mask.nii.gz")
    with caplog.at_level(logging.WARNING):
        assert len(find_corrections([second], settings)) == 1
        assert caplog.messages == []
        put(tmp_path, "sub-01/anat/sub-01_run-1_FLAIR.nii.gz")
        assert len(find_corrections([second], settings)) == 1
    (told,) = caplog.messages
    assert "as that of raw/sub-01_run-2_FLAIR (and not of raw/sub-01_run-1_FLAIR)" in told


def test_a_mask_named_just_as_one_scan_is_no_other_s(tmp_path: Path) -> None:
    one, edited = make_scan(tmp_path, "01"), tmp_path / "edited"
    second = replace(one, entities=(*one.entities, ("run", "2")))
    put(edited, "sub-01/anat/sub-01_label-L_mask.nii.gz")
    settings = Settings(tmp_path, tmp_path / "out", corrections=edited)
    assert list(find_corrections([one, second], settings)) == [one.key]
    put(tmp_path, "sub-01/anat/sub-01_FLAIR.nii.gz")
    with pytest.raises(DataError, match="named after no tumour scan of this run"):
        find_corrections([second], settings)


def test_masks_among_the_app_s_own_are_refused(tmp_path: Path) -> None:
    bids, out = tmp_path / "bids", tmp_path / "out"
    bids.mkdir()
    write_dataset_description(out, links={"raw": bids})
    for name in (".", "sub-01", "models", "work/mine"):
        (out / name).mkdir(parents=True, exist_ok=True)
        with pytest.raises(UsageError, match="this app writes there"):
            check_folders(Settings(bids, out, work_dir=out / "work", corrections=out / name))
    fine = out / "derivatives" / "corrections"
    fine.mkdir(parents=True)
    check_folders(Settings(bids, out, work_dir=out / "work", corrections=fine))
