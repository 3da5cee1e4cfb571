"""Images in the folder of corrected masks that are not used: each with its reason, or a stop."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from synthtumour_bids.bids import unused_drawings
from synthtumour_bids.bids.corrections import find_corrections
from synthtumour_bids.bids.description import write_dataset_description
from synthtumour_bids.bids.unused_drawings import images_in, reasons_unused
from synthtumour_bids.errors import DataError
from synthtumour_bids.settings import Settings
from tests.builders.datasets import put
from tests.builders.jobs import make_scan

REASONS = {
    "sub-01/anat/sub-01_label-L_mask.nrrd": unused_drawings.OTHER_FORMAT,
    "sub-01/anat/sub-01_label-L_mask.NII": unused_drawings.OTHER_FORMAT,
    "sub-01/anat/sub-01_desc-manual_label-L_mask.nii.gz": unused_drawings.MISNAMED,
    "tumour.nii.gz": unused_drawings.MISNAMED,
    "sub-01/anat/sub-01_label-L_desc-manual_mask.nii.gz": unused_drawings.LIKE_THE_JUNIORS,
    "sub-01/anat/sub-01_label-L_desc-junior_mask.nii.gz": unused_drawings.LIKE_THE_JUNIORS,
    "sub-01/anat/sub-01_label-tumour_mask.nii.gz": unused_drawings.OTHERWISE_NAMED,
    "sub-01/anat/sub-01_desc-tumour_dseg.nii.gz": unused_drawings.OTHERWISE_NAMED,
    "sub-01/anat/sub-01_lesion.nii": unused_drawings.OTHERWISE_NAMED,
    "sub-01/anat/sub-01_space-T1w_label-L_mask.nii.gz": unused_drawings.OTHER_SPACE,
    "masks/sub-01_label-L_mask.nii.gz": unused_drawings.ELSEWHERE,
    "sub-01/masks/sub-01_label-L_mask.nii.gz": unused_drawings.ELSEWHERE,
    "sub-01/anat/sub-01_run-2_label-L_mask.nii.gz": unused_drawings.OF_NO_SCAN,
    "sub-09/anat/sub-09_label-L_mask.nii.gz": unused_drawings.OF_NO_SCAN,
}


@pytest.mark.parametrize(("name", "why"), REASONS.items())
def test_images_that_nobody_uses_are_told_with_the_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, why: str
) -> None:
    scans, edited = [make_scan(tmp_path, "01"), make_scan(tmp_path, "02")], tmp_path / "edited"
    settings = Settings(tmp_path, tmp_path / "out", corrections=edited)
    put(edited, name)
    with pytest.raises(DataError) as error:
        find_corrections(scans, settings)
    assert f"Images that {why}: {name}." in str(error.value)
    assert find_corrections(scans, settings, tell=False) == {}
    put(edited, "sub-02/anat/sub-02_label-L_mask.nii.gz")
    with caplog.at_level(logging.WARNING):
        assert list(find_corrections(scans, settings)) == ["raw/sub-02_FLAIR"]
    (told,) = caplog.messages
    assert f"{why}, and are left out: {name}." in told


@pytest.mark.parametrize(
    "asked",
    [
        {"participant_label": ("01",)},
        {"exclude_participant_label": ("09",)},
        {"session_label": ("2",)},
        {"bids_filter_file": Path("filter.json")},
    ],
)
def test_a_run_on_some_scans_goes_on_without_a_mask_of_theirs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, asked: dict[str, Any]
) -> None:
    edited = tmp_path / "edited"
    put(edited, "sub-09/anat/sub-09_label-L_mask.nii.gz")
    settings = Settings(tmp_path, tmp_path / "out", corrections=edited, **asked)
    assert find_corrections([make_scan(tmp_path, "01")], settings) == {}
    assert unused_drawings.OF_NO_SCAN in caplog.text


def test_a_folder_without_images_is_fine(tmp_path: Path) -> None:
    edited = tmp_path / "edited"
    put(edited, "README.txt", "sub-01/anat/sub-01_label-L_mask.json", ".trash/a_mask.nii.gz")
    settings = Settings(tmp_path, tmp_path / "out", corrections=edited)
    assert find_corrections([make_scan(tmp_path, "01")], settings) == {}


def test_masks_of_those_held_out_alone_stop_nothing(tmp_path: Path) -> None:
    put(tmp_path / "edited", "sub-01/anat/sub-01_label-L_mask.nii.gz")
    settings = Settings(
        tmp_path, tmp_path / "out", hold_out=("01",), corrections=tmp_path / "edited"
    )
    assert find_corrections([make_scan(tmp_path, "01")], settings) == {}


def test_what_nobody_misses_is_not_told(tmp_path: Path) -> None:
    """Scans to draw on, what was copied along with a mask, second files, outputs of the app."""
    scan, edited = make_scan(tmp_path, "01"), tmp_path / "edited"
    write_dataset_description(edited / "derivatives" / "app", links={})
    put(
        edited,
        *(f"sub-01/anat/sub-01_label-L_mask.{one}" for one in ("nii", "nii.gz")),
        *(f"sub-0{n}/anat/sub-0{n}_FLAIR.nii.gz" for n in (1, 2)),
        "sub-01/anat/sub-01_label-L_desc-junior_mask.nii.gz",
        "sub-01/anat/sub-01_label-L_probseg.nii.gz",
        "sub-01/anat/sub-01_desc-brain_mask.nii.gz",
        "derivatives/app/sub-09/anat/sub-09_label-L_mask.nii.gz",
    )
    used = {scan.key: edited / "sub-01/anat/sub-01_label-L_mask.nii.gz"}
    assert reasons_unused(edited, [scan], used) == {}
    assert len(images_in(edited)) == 7
    put(edited, "sub-01/anat/sub-01_label-L_desc-manual_mask.nii.gz")
    (told,) = reasons_unused(edited, [scan], used)
    assert told == unused_drawings.LIKE_THE_JUNIORS


def test_a_mask_with_a_better_one_beside_it_is_told(tmp_path: Path) -> None:
    scan, edited = make_scan(tmp_path, "01", session="a"), tmp_path / "edited"
    scan = replace(scan, entities=(*scan.entities, ("run", "1")))
    names = ["sub-01_ses-a_run-1_label-L_mask.nii.gz", "sub-01_ses-a_label-L_mask.nii.gz"]
    put(edited, *names)
    told = reasons_unused(edited, [scan], {scan.key: edited / names[0]})
    assert told == {unused_drawings.LESS_FITTING: [edited / names[1]]}
