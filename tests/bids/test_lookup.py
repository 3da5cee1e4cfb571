"""Brain masks and truth of other derivatives, found by name."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.bids.inputs import find_brain_mask, find_truth
from synthtumour_bids.bids.lookup import find_classes, find_correction, images_there
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.settings import Role
from tests.builders.datasets import make


def scan_of(name: str, dataset_name: str = "raw") -> Scan:
    stem, suffix = name.rsplit("_", 1)
    parts = tuple(tuple(part.split("-")) for part in stem.split("_"))
    root = Path("/data")
    return Scan(root / f"{name}.nii.gz", parts, suffix, Role.TUMOUR, root, dataset_name)


def find_brain_mask_in(scan: Scan, folder: Path) -> Path | None:
    return find_brain_mask(scan, [folder])


@pytest.mark.parametrize(
    ("names", "scan", "expected"),
    [
        (["sub-01_desc-brain_mask.nii.gz"], "sub-01_FLAIR", 0),
        (["sub-01_desc-brain_mask.nii"], "sub-01_run-2_FLAIR", 0),
        (["sub-01_ses-1_desc-brain_mask.nii.gz"], "sub-01_ses-2_FLAIR", None),
        (["sub-01_ses-1_desc-brain_mask.nii.gz"], "sub-01_ses-1_FLAIR", 0),
        (["sub-01_desc-brain_mask.nii.gz"], "sub-01_ses-1_FLAIR", None),
        (["sub-01_space-MNI_desc-brain_mask.nii.gz"], "sub-01_FLAIR", None),
        (["sub-01_space-T1w_desc-brain_mask.nii.gz"], "sub-01_FLAIR", None),
        (["sub-01_space-FLAIR_desc-brain_mask.nii.gz"], "sub-01_FLAIR", 0),
        (["sub-01_run-1_desc-brain_mask.nii.gz"], "sub-01_run-2_FLAIR", None),
        (["sub-01_label-L_mask.nii.gz"], "sub-01_FLAIR", None),
        (["sub-011_desc-brain_mask.nii.gz"], "sub-01_FLAIR", None),
        (
            ["sub-01_desc-brain_mask.nii.gz", "sub-01_run-2_desc-brain_mask.nii.gz"],
            "sub-01_run-2_FLAIR",
            1,
        ),
        (["sub-01_desc-brain_mask.nii", "sub-01_desc-brain_mask.nii.gz"], "sub-01_FLAIR", 1),
    ],
)
@pytest.mark.parametrize("layout", ["bids", "plain"])
def test_brain_masks_by_name(tmp_path, names, scan, expected, layout):
    for name in names:
        if layout == "bids":
            make(tmp_path, name)
        else:
            (tmp_path / name).write_text("")
    result = find_brain_mask(scan_of(scan), [tmp_path / "none", tmp_path])
    assert (result and result.name) == (None if expected is None else names[expected])


def test_images_that_do_not_fit_are_named_what_was_drawn_first(tmp_path):
    scan, roots = scan_of("sub-01_FLAIR"), [tmp_path / "a", tmp_path / "b", tmp_path / "none"]
    assert images_there(scan, roots) == "no image of sub-01"
    make(roots[0], "sub-01_FLAIR.nii.gz", "sub-01_space-T1w_desc-brain_mask.nii.gz")
    make(roots[0], "sub-011_desc-brain_mask.nii.gz", "sub-01_desc-brain_mask.json")
    (roots[1]).mkdir()
    (roots[1] / "sub-01_dseg.nii").touch()
    found = images_there(scan, roots, most=2)
    assert found.endswith("sub-01_space-T1w_desc-brain_mask.nii.gz, sub-01_dseg.nii and 1 more")


def test_the_first_folder_with_a_mask_wins(tmp_path):
    for name in ("a", "b"):
        make(tmp_path / name, "sub-01_desc-brain_mask.nii.gz")
    result = find_brain_mask(scan_of("sub-01_FLAIR"), [tmp_path / "b", tmp_path / "a"])
    assert result.is_relative_to(tmp_path / "b")
    assert find_brain_mask(scan_of("sub-01_FLAIR"), []) is None


def test_truth_by_name(tmp_path):
    scan = scan_of("sub-01_ses-1_FLAIR")
    assert find_truth(scan, tmp_path) is None
    make(tmp_path, "sub-01_ses-1_label-L_desc-expert_mask.nii.gz")
    assert find_truth(scan, tmp_path).name == "sub-01_ses-1_label-L_desc-expert_mask.nii.gz"
    make(tmp_path, "sub-01_ses-1_label-L_mask.nii.gz")
    assert find_truth(scan, tmp_path).name == "sub-01_ses-1_label-L_mask.nii.gz"


def test_a_folder_that_cannot_be_listed_is_not_empty(tmp_path, monkeypatch):
    make(tmp_path, "sub-01_label-L_mask.nii.gz")
    (tmp_path / "sub-02").symlink_to("nowhere")
    with pytest.raises(DataError, match="sub-02 is a link to a folder that is not there"):
        find_truth(scan_of("sub-02_FLAIR"), tmp_path)
    assert find_truth(scan_of("sub-03_FLAIR"), tmp_path) is None

    def refuse(folder: Path):
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError, match=r"anat cannot be listed \(Permission denied\)"):
        find_truth(scan_of("sub-01_FLAIR"), tmp_path)


def test_two_truths_of_one_scan_are_refused(tmp_path):
    make(tmp_path, "sub-01_label-L_desc-a_mask.nii.gz", "sub-01_label-L_desc-b_mask.nii.gz")
    with pytest.raises(DataError, match="equally well"):
        find_truth(scan_of("sub-01_FLAIR"), tmp_path)


@pytest.mark.parametrize("find", [find_brain_mask_in, find_truth, find_correction, find_classes])
@pytest.mark.parametrize("place", ["sub-01/anat/{}.nii", "{}.nii.gz"])
def test_two_files_of_one_name_are_one_mask_where_they_hold_the_same(tmp_path, find, place):
    name = {
        find_brain_mask_in: "sub-01_desc-brain_mask",
        find_classes: "sub-01_desc-tumour_dseg",
    }.get(find, "sub-01_label-L_mask")
    values = np.zeros((4, 4, 4), np.uint8)
    values[1:3] = 1
    before, after = tmp_path / f"sub-01/anat/{name}.nii.gz", tmp_path / place.format(name)
    before.parent.mkdir(parents=True)
    nib.save(nib.Nifti1Image(values, np.eye(4)), before)
    nib.save(nib.Nifti1Image(values.astype(np.float32), np.eye(4)), after)
    assert find(scan_of("sub-01_FLAIR"), tmp_path) in (before, after)
    values[3] = 1
    for affine in (np.eye(4), np.diag([2, 2, 2, 1])):
        nib.save(nib.Nifti1Image(values, affine), after)
        with pytest.raises(DataError, match=rf"equally well.*: .*{name}.*{name}\."):
            find(scan_of("sub-01_FLAIR"), tmp_path)
        values[3] = 0  # elsewhere, if not otherwise
    after.write_bytes(b"cut off")
    with pytest.raises(DataError, match="not the same"):
        find(scan_of("sub-01_FLAIR"), tmp_path)


def test_masks_of_the_apps_own_outputs_are_of_the_right_cohort(tmp_path):
    make(tmp_path, "sub-01_desc-brain_mask.nii.gz")
    description = {"GeneratedBy": [{"Name": "synthtumour_bids"}]}
    (tmp_path / "dataset_description.json").write_text(json.dumps(description))
    other = scan_of("sub-01_FLAIR", "tumourfree")
    assert find_brain_mask(other, [tmp_path]) is None
    nested = make(tmp_path / "derivatives/tumourfree", "sub-01_desc-brain_mask.nii.gz")
    assert find_brain_mask(other, [tmp_path]).is_relative_to(nested)
