"""Images that look like scans, but lie or are named as none, are told; others are let be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders.datasets import collect, keys, make, table


@pytest.fixture
def root(tmp_path) -> Path:
    return make(tmp_path / "raw", "sub-01_FLAIR.nii.gz", "sub-03_ses-1_FLAIR.nii.gz")


def told(root: Path, caplog, *places: str, **more) -> str:
    """What the log says of images at these places, which are no scans of a run."""
    before = keys(collect(root, model=root, **more).selected)
    for place in places:
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text("")
    caplog.clear()
    assert keys(collect(root, model=root, **more).selected) == before
    return "\n".join(text for text in caplog.messages if "not named as BIDS asks for" in text)


@pytest.mark.parametrize(
    "place",
    [
        "sub-03/ses-2/anat/sub-03_ses-2_FLAIR.img",
        "sub-03/ses-2/anat/sub-03_ses-2_FLAIR.mgz",
        "sub-03/ses-2/anat/sub-03_ses-2_FLAIR_run-2.nii.gz",
        "sub-03/ses-2/anat/sub-03_ses-2_FLAIRa.nii.gz",
        "sub-03/ses-2/anat/sub-03_ses-2_FLAIR(1).nii.gz",
        "sub-03/ses-2/anat/sub-03_ses-2_T2FLAIR.nii.gz",
        "sub-03/ses-2/anat/sub-03_flair-1.NII.gz",
        "sub-03/ses-2/anat/FLAIR.nii.gz",
        "sub-03/ses-5/sub-03_ses-5_FLAIR.nii.gz",
        "sub-03/sub-03_FLAIR.nii.gz",
        "sub-03/ses-6/FLAIR/sub-03_ses-6_FLAIR.nii.gz",
        "sub-03/baseline/anat/sub-03_FLAIR.nii",
        "sub-03/anat/ses-9/sub-03_ses-9_FLAIR.nii.gz",
    ],
)
def test_images_that_seem_to_be_scans_are_told(root, caplog, place):
    text = told(root, caplog, place)
    verb = "rename" if place.lower().endswith((".nii", ".gz")) else "convert"
    right = "sub-03/[ses-*/]anat/sub-03[_...]_FLAIR.nii.gz"
    assert f"Images in {root} not named" in text
    assert f"left out: {place} ({verb} it to {right})" in text


@pytest.mark.parametrize(
    "place",
    [
        "sub-03/ses-1/anat/sub-03_ses-1_T1w.nii.gz",
        "sub-03/ses-1/anat/sub-03_ses-1_T1w_run-2.nii.gz",
        "sub-03/ses-1/anat/sub-03_ses-1_acq-FLAIR_T2w.nii.gz",
        "sub-03/ses-1/anat/sub-03_ses-1_space-T1w_FLAIRa.nii.gz",
        "sub-03/ses-1/anat/sub-03_ses-1_FLAIR_desc-brain.nii.gz",
        "sub-03/ses-1/anat/sub-03_ses-1_FLAIR_mask.nii.gz",
        "sub-03/ses-1/anat/sub-03_ses-1_FLAIR_dseg.nii.gz",
        "sub-03/ses-1/anat/sub-03_ses-1_FLAIRmask.nii.gz",
        "sub-03/ses-1/anat/sub-03_ses-1_FLAIR_tumor.nii.gz",
        "sub-03/ses-1/anat/sub-03_ses-1_FLAIR_brain.nii.gz",
        "sub-03/ses-1/anat/sub-03_ses-1_FLAIR_GT.nii.gz",
        "sub-03/freesurfer/mri/FLAIR.mgz",
        "sub-03/export/by/date/of/FLAIR.nii.gz",
        "sub-03/ses-1/anat/sub-03_ses-1_FLAIR.mgz",
        "sub-03/ses-1/anat/sub-03_ses-1_FLAIR_notes.json",
        "sub-03/ses-1/anat/._sub-03_ses-1_FLAIRa.nii.gz",
        "sub-03/ses-1/func/sub-03_ses-1_FLAIR.nii.gz",
        "sub-03/sourcedata/FLAIR.nii.gz",
        "sub-03/other/derivatives/FLAIR.nii.gz",
        "sub-03/.cache/FLAIR.nii.gz",
        "sourcedata/sub-03/FLAIR.nii.gz",
        "sub-01/FLAIR.nii.gz",
        "sub-03/ses-7/FLAIR.nii.gz",
    ],
)
def test_what_is_rightly_left_out_is_not_told(root, caplog, place):
    more = {"exclude_participant_label": ("01",), "session_label": ("1",)}
    assert told(root, caplog, place, **more) == ""


def test_folders_that_lead_back_are_not_followed(root, caplog):
    (root / "sub-03" / "all").symlink_to("..")
    (root / "sub-03" / "odd").mkdir()
    (root / "sub-03" / "odd" / "again").symlink_to("..")
    assert told(root, caplog) == ""


def test_filters_and_bidsignore_take_strays_out_too(root, caplog, tmp_path):
    make(root, "sub-03_ses-1_run-1_FLAIR.nii.gz")
    places = [f"sub-03/ses-1/anat/sub-03_ses-1_FLAIR_run-0{run}.nii.gz" for run in (1, 2)]
    filters = tmp_path / "filters.json"
    filters.write_text('{"image": {"run": [1]}}')
    text = told(root, caplog, *places, "sub-03/FLAIR.nii", bids_filter_file=filters)
    assert "run-01" in text
    assert "sub-03/FLAIR.nii" in text
    assert "run-02" not in text
    filters.write_text('{"image": {"run": "*"}}')
    assert "run-02" in told(root, caplog, bids_filter_file=filters)
    (root / ".bidsignore").write_text("*_FLAIR_run-*\n**/FLAIR.nii\n")
    assert told(root, caplog) == ""


def test_strays_of_other_contrasts_are_those_of_their_runs(root, caplog):
    table(root, "01\ttumour", "03\ttumour")
    make(root, "sub-01_trace.nii", "sub-01_T2w.nii")
    places = [
        "sub-03/ses-1/dwi/trace.nii",
        "sub-03/ses-1/anat/sub-03_T2w_a.nii",
        "sub-03/FLAIR.nii",
    ]
    for contrast, place in zip(("DWI", "T2w", "FLAIR"), places, strict=True):
        text = told(root, caplog, *places, contrast=contrast)
        assert [one for one in places if one in text] == [place]
