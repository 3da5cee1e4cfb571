"""Masks on the grid of a T1w image, the dataset for other tools, and what goes wrong with both."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import ants
import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.execution.outcome import Status
from synthtumour_bids.files import write_json
from synthtumour_bids.job import Job
from synthtumour_bids.layout import T1W_SPACE
from synthtumour_bids.ledger import Failure, Identity
from synthtumour_bids.preprocessing import alignment, ants_images
from synthtumour_bids.preprocessing.rigid import align_rigidly
from synthtumour_bids.settings import Role
from synthtumour_bids.steps import report, scan_report, spaces
from synthtumour_bids.steps.t1w import STEP, in_t1w
from synthtumour_bids.steps.t1w_report import draw_t1w, t1w_facts, tell_flags, write_next_steps
from synthtumour_bids.synthesis.geometry import dice
from tests.builders.jobs import make_job
from tests.builders.reports import make_head, segmented, stored, task_of
from tests.builders.t1w_heads import (
    TwoContrasts,
    segmented_with_t1w,
    t1w_affine,
    t1w_scan,
    two_contrasts,
    with_t1w,
)


@pytest.fixture(scope="module")
def head() -> TwoContrasts:
    return two_contrasts()


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory, head: TwoContrasts) -> Job:
    """Two sessions; the second has no T1w image of its own, and its tumour is elsewhere."""
    job = segmented_with_t1w(tmp_path_factory.mktemp("carried"), head, sessions=("1", "2"))
    later = job.layout.native(job.selected()[1], label="L", suffix="mask")
    moved = np.roll(head.lesion, 5, axis=1).astype(np.uint8)
    nib.save(nib.Nifti1Image(moved, nib.load(later).affine), later)
    assert {record.status for record in spaces.run(job)} == {Status.DONE}
    return job


def test_the_mask_lies_on_the_t1w_image(carried: Job, head: TwoContrasts) -> None:
    scan = carried.selected()[0]
    mask = nib.load(carried.layout.in_t1w(scan, label="L", suffix="mask"))
    assert mask.get_filename().endswith("sub-01_ses-1_space-T1w_label-L_mask.nii.gz")
    assert mask.shape == head.there.shape
    assert np.allclose(mask.affine, t1w_affine())
    assert (int(mask.header["qform_code"]), int(mask.header["sform_code"])) == (1, 1)
    found = np.asarray(mask.dataobj) > 0
    centres = [np.argwhere(one).mean(axis=0) for one in (found, head.there)]
    assert np.linalg.norm(t1w_affine()[:3, :3] @ (centres[0] - centres[1])) < 2  # mm
    assert dice(found, head.there) > 0.9
    probability = nib.load(carried.layout.in_t1w(scan, label="L", suffix="probseg"))
    values = probability.get_fdata()
    assert 0 <= values.min() < 0.01
    assert 0.9 < values.max() <= 1
    said = json.loads(Path(mask.get_filename().replace(".nii.gz", ".json")).read_text())
    assert said["SpatialReference"] == "bids:raw:sub-01/anat/sub-01_ses-1_T1w.nii.gz"
    assert said["Type"] == "Lesion"
    assert said["T1wQualityControl"]["share_in_view"] == 1


def test_the_transform_is_one_for_ants(carried: Job, head: TwoContrasts) -> None:
    scan = carried.selected()[0]
    lesion = ants_images.to_ants(
        head.lesion.astype(np.float32), nib.load(carried.layout.native_image(scan)).affine
    )
    moved = ants.apply_transforms(
        ants_images.image_to_ants(head.t1w),
        lesion,
        [str(carried.layout.transform(scan, T1W_SPACE))],
    )
    assert dice(moved.numpy() >= 0.5, head.there) > 0.85


def test_other_tools_find_the_mask_of_the_images_session(carried: Job, head: TwoContrasts) -> None:
    root = carried.settings.output_dir / "derivatives" / "lesion-roi"
    (roi,) = root.rglob("*_roi.nii.gz")
    assert roi.relative_to(root).as_posix() == (
        "sub-01/ses-1/anat/sub-01_ses-1_label-lesion_roi.nii.gz"
    )
    assert "*lesion_roi.nii.gz" in (root / ".bidsignore").read_text().splitlines()
    assert json.loads((root / "dataset_description.json").read_text())["GeneratedBy"]
    image = nib.load(roi)
    assert np.allclose(image.affine, t1w_affine())
    assert dice(np.asarray(image.dataobj) > 0, head.there) > 0.9  # not the later session's


def test_a_run_of_another_session_leaves_the_mask_alone(carried: Job, head: TwoContrasts) -> None:
    later = carried.selected()[1]
    selection = replace(carried.selection, selected=(later,))
    spaces.run(replace(carried, selection=selection))
    (roi,) = carried.lesion_roi_dir.rglob("*_roi.nii.gz")
    assert dice(np.asarray(nib.load(roi).dataobj) > 0, head.there) > 0.9


def test_nothing_is_done_twice(carried: Job) -> None:
    (roi,) = carried.lesion_roi_dir.rglob("*_roi.nii.gz")
    before = roi.stat().st_mtime_ns
    assert {record.status for record in spaces.run(carried)} == {Status.SKIPPED}
    assert roi.stat().st_mtime_ns == before


def test_the_page_shows_both_images_and_what_to_do_next(carried: Job) -> None:
    scan, layout = carried.selected()[0], carried.layout
    found = in_t1w(carried.ledger)
    told = report._on_t1w(carried, scan, found)
    assert told is not None
    write_next_steps(scan, layout, told)
    page = layout.figure(scan, "next").read_text()
    for words in (
        "fmriprep",
        "qsiprep",
        "/sub-01/ses-1/anat/sub-01_ses-1_space-T1w_label-L_mask.nii.gz",
        "--lesion_mask",
    ):
        assert words in page
    assert dict(t1w_facts(told))["T1w image"] == "sub-01_ses-1_T1w.nii.gz"
    part = draw_t1w(scan, layout, told.t1w.image.path)
    assert "show the T1w image" in part.read_text()
    assert all(
        layout.figure(scan, desc, ".svg").stat().st_size > 5000 for desc in ("t1w", "t1wimage")
    )


def test_a_t1w_image_that_cannot_be_read_fails_alone(tmp_path: Path, head: TwoContrasts) -> None:
    job = segmented_with_t1w(tmp_path, head)
    (scan,) = job.selected()
    spaces.run(job)
    there = [*job.settings.output_dir.rglob("*T1w*"), *job.lesion_roi_dir.rglob("*_roi.*")]
    assert len([path for path in there if path.is_file()]) >= 7
    assert spaces.planned(job, scan) == {"T1w": True}
    job.selection.t1w[scan.key].image.path.write_bytes(b"no image")
    assert spaces.planned(job, scan) == {"T1w": False}
    (record,) = spaces.run(job)
    assert record.status is Status.FAILED
    assert not any(path.is_file() for path in there), "outputs are whole or absent"
    assert "T1w image" in record.message
    assert "--bids-filter-file" in record.message
    assert job.layout.native(scan, label="L", suffix="mask").is_file()
    assert [failure.step for failure in job.ledger.failures()] == [STEP]


def test_another_persons_head_is_flagged(tmp_path: Path, head: TwoContrasts, carried: Job) -> None:
    job = segmented_with_t1w(tmp_path, head)
    where = nib.Nifti1Image((head.brain & ~head.lesion).astype(np.uint8), head.flair.affine)
    own = in_t1w(carried.ledger)[carried.selected()[0].key]
    figures = {"own": own.measured["t1w_information"]}
    with alignment.scratch(tmp_path / "work") as folder:
        _, figures["other"] = align_rigidly(
            two_contrasts(seed=1).t1w, head.flair, where, folder=folder, seed=1, sloppy=True
        )
    names = {f"0{number}": "own" for number in range(1, 6)} | {"06": "other"}
    for label, which in names.items():
        scan = t1w_scan(job.selected()[0], ("acq", label))
        measured = {"t1w_information": figures[which], "volume_mL": 8, "share_in_view": 1.0}
        job.ledger.mark(STEP, scan.key, "x", scan=scan, t1w="", others=[], measured=measured)
    flags = {key: one.flags for key, one in in_t1w(job.ledger).items()}
    assert [key for key, value in flags.items() if value] == [
        key for key in flags if key.endswith("acq-06_T1w")
    ]


def test_a_failure_goes_with_the_t1w_image(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    scan = job.selected(Role.TUMOUR)[0]
    job.ledger.mark_failure(Failure(STEP, Identity.of(scan), "tumour", "an empty image"))
    assert spaces.run(job) == []
    assert job.ledger.failures() == []


def test_scans_without_a_t1w_image_cost_nothing(tmp_path: Path, head: TwoContrasts) -> None:
    job = with_t1w(segmented_with_t1w(tmp_path, head))
    assert spaces.run(job) == []
    assert not (job.settings.output_dir / "derivatives").exists()


def test_a_report_tells_of_it_as_long_as_it_is_there(tmp_path: Path) -> None:
    job, scan = segmented(tmp_path, make_head())
    layout, image = job.layout, t1w_scan(scan)
    image.path.parent.mkdir(parents=True)
    nib.save(stored(make_head()["image"]), image.path)
    mask = layout.in_t1w(scan, label="L", suffix="mask")
    nib.save(nib.load(layout.native(scan, label="L", suffix="mask")), mask)
    sidecar = mask.with_name(mask.name.replace(".nii.gz", ".json"))
    sidecar.write_text("{}")
    identity = ants.create_ants_transform(transform_type="AffineTransform", dimension=3)
    ants.write_transform(identity, str(layout.transform(scan, T1W_SPACE)))
    measured = {"t1w_information": 0.1, "volume_mL": 1.2, "share_in_view": 0.5}
    job.ledger.mark(
        STEP, scan.key, "x", [mask], scan=scan, t1w=image.uri, others=["a"], measured=measured
    )
    job = with_t1w(job, image)
    told = report._on_t1w(job, scan, in_t1w(job.ledger))
    assert told is not None
    write_json(layout.location(scan.name), {"Size": {}, "Location": {}, "Regions": {}})
    tell_flags(scan, layout, told)
    scan_report._write_facts(task_of(job, scan, t1w=told))
    page = layout.figure(scan, "summary").read_text()
    for words in ("t1w_unlike", "t1w_cuts_tumour", "chosen among 2 (a)"):
        assert words in page
    said = json.loads(sidecar.read_text())
    assert said["T1wFlags"] == ["t1w_unlike", "t1w_cuts_tumour"]
    assert layout.figure(scan, "next").is_file()
    without = task_of(job, scan)
    scan_report._remove_stale(without)
    scan_report._write_facts(without)
    assert not layout.figure(scan, "next").exists()
    assert "t1w" not in layout.figure(scan, "summary").read_text()
