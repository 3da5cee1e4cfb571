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
from tests.builders.jobs import make_scan


def put(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


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
    held_out, others = caplog.messages
    assert "--hold-out" in held_out
    assert "sub-04_label-L_mask" in held_out
    assert all(name in others for name in ("sub-03_space-T1w", "sub-05_label-L"))


def test_one_mask_is_of_one_scan(tmp_path: Path) -> None:
    one = make_scan(tmp_path, "01")
    scans = [replace(one, entities=(*one.entities, ("run", run))) for run in ("1", "2")]
    put(tmp_path / "edited", "sub-01/anat/sub-01_label-L_mask.nii.gz")
    settings = Settings(tmp_path, tmp_path / "out", corrections=tmp_path / "edited")
    with pytest.raises(DataError, match="could be drawn on any of"):
        find_corrections(scans, settings)
    assert len(find_corrections(scans[:1], settings)) == 1


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
