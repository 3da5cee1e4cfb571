"""Tumours replaced by the other side of the brain, or by another brain."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import ants
import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from synthtumour_bids.bids.inputs import Selection
from synthtumour_bids.execution.outcome import Status
from synthtumour_bids.files import write_json
from synthtumour_bids.job import Job
from synthtumour_bids.layout import T1W_SPACE
from synthtumour_bids.settings import Role, Step
from synthtumour_bids.steps import healthy_twin
from synthtumour_bids.steps.t1w import STEP as T1W
from synthtumour_bids.steps.twin_report import draw_twins
from tests.builders.jobs import make_job, make_scan, mark_preprocessed
from tests.builders.t1w_heads import t1w_scan, with_t1w

SHAPE = (41, 48, 40)
AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
AFFINE[:3, 3] = -4.0 * (np.array(SHAPE) - 1) / 2


def head(lesions: list[tuple[int, int, int]]) -> dict[str, np.ndarray]:
    """A brain that mirrors itself but for these lesions, and what it was before."""
    rng = np.random.default_rng(0)
    places = np.indices(SHAPE) - (np.array(SHAPE) - 1)[:, None, None, None] / 2
    brain = sum((places[axis] / size) ** 2 for axis, size in enumerate((17, 21, 17))) < 1
    texture = ndimage.gaussian_filter(rng.standard_normal(SHAPE), 1.2)
    texture = (texture + texture[::-1]) / (texture + texture[::-1]).std()
    healthy = np.where(brain, 100 + 20 * texture, 0)
    indices = np.indices(SHAPE)
    lesion = np.zeros(SHAPE, bool)
    for middle in lesions:
        lesion |= np.linalg.norm(indices - np.array(middle)[:, None, None, None], axis=0) < 4
    return {"healthy": healthy, "brain": brain, "lesion": lesion, "ill": healthy + 90 * lesion}


def save(values: np.ndarray, path: Path, kind: type = np.float32) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values.astype(kind), AFFINE), path)
    write_json(path.with_name(path.name.replace(".nii.gz", ".json")), {})


def make(root: Path, images: dict[str, np.ndarray]) -> Job:
    """A segmented scan with its T1w image in the same place, and a brain without a tumour."""
    scan = make_scan(root / "bids", "01")
    host = make_scan(root / "bids", "02", Role.TUMOURFREE)
    job = make_job(root, scans=(scan, host), healthy_twin=True)
    mark_preprocessed(job, scan, host, fingerprint="p")
    layout, identity = job.layout, ants.create_ants_transform(dimension=3)
    for one, values in ((scan, images["ill"]), (host, 3 * images["healthy"])):
        save(values, layout.native_image(one))
        save(images["brain"], layout.native_brain(one), np.uint8)
        ants.write_transform(identity, str(layout.transform(one)))
    for place in (layout.native, layout.in_t1w):
        save(images["lesion"], place(scan, label="L", suffix="mask"), np.uint8)
    ants.write_transform(identity, str(layout.transform(scan, T1W_SPACE)))
    job.ledger.mark(Step.SEGMENT, scan.key, "s", scan=scan)
    job.ledger.mark(T1W, scan.key, "t", scan=scan, segmented="s")
    image = t1w_scan(scan)
    save(500 - images["ill"], image.path)
    t1w = with_t1w(replace(job, selection=Selection((scan,), (scan,))), image).selection.t1w
    return replace(job, selection=Selection((scan,), (scan, host), t1w=t1w))


@pytest.mark.parametrize("lesions", [[(12, 24, 20)], [(12, 24, 20), (28, 24, 20)]])
def test_tumours_are_replaced(tmp_path: Path, lesions: list[tuple[int, int, int]]) -> None:
    images = head(lesions)
    job = make(tmp_path, images)
    (scan,) = job.selected()
    assert [one.status for one in healthy_twin.run(job)] == [Status.DONE]
    lesion, path = images["lesion"], job.layout.twin(scan)
    filled = nib.load(path).get_fdata()
    away = ndimage.distance_transform_edt(~lesion) * 4 > healthy_twin.MARGIN_MM
    np.testing.assert_allclose(filled[away], images["ill"][away], rtol=1e-6)
    error = np.abs(filled - images["healthy"])[lesion]
    around = away & images["brain"] & (ndimage.distance_transform_edt(~lesion) < 3)
    mean = np.abs(images["healthy"][around].mean() - images["healthy"])[lesion]
    assert error.mean() < 0.3 * mean.mean()
    said = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
    assert said["Artificial"] is True
    both = len(lesions) > 1
    assert said["Filling"]["From"] == (
        "bids:raw:sub-02/anat/sub-02_FLAIR.nii.gz" if both else healthy_twin.OTHER_SIDE
    )
    if not both:
        path = job.layout.twin_in_t1w(scan)
        t1w = nib.load(path).get_fdata()
        assert np.abs(t1w - 500 + images["healthy"])[lesion].mean() < 0.3 * mean.mean()
        said = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
        assert (said["Artificial"], said["SkullStripped"]) == (True, True)  # no skull around it
        assert [one.status for one in healthy_twin.run(job)] == [Status.SKIPPED]
        parts = draw_twins(scan, job.layout, job.selection.t1w[scan.key].image.path)
        assert len(parts) == 2
        for part in parts:
            assert 'alt="Three planes through the lesion (' in part.read_text()
            assert "artificial" in part.read_text()
            assert part.with_suffix(".svg").stat().st_size > 5000
        path.unlink()
        assert draw_twins(scan, job.layout, None) == parts[:1]
        assert not parts[1].exists()  # there is nothing to show any more


def test_without_a_tumour_there_is_no_twin(tmp_path: Path) -> None:
    job = make(tmp_path, head([]))
    (scan,) = job.selected()
    save(np.zeros(SHAPE), job.layout.twin(scan))
    assert [one.status for one in healthy_twin.run(job)] == [Status.DONE]
    assert not job.layout.twin(scan).exists()
