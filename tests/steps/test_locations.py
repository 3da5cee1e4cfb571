"""Size, place and regions of a scan's lesion, from its files to sidecars, tables and map."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import ants
import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.files import write_json
from synthtumour_bids.job import Job
from synthtumour_bids.preprocessing.points import scan_to_template
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.settings import Role, Step
from synthtumour_bids.steps import frequency, tables
from synthtumour_bids.steps.atlas import load_atlas
from synthtumour_bids.steps.locations import describe_location
from tests.builders.jobs import make_job
from tests.builders.lesions import OBLIQUE, ellipsoid

CENTRE = (-30.0, 10.0, 20.0)  # in the template
SHIFT = (4.0, -6.0, 9.0)  # of the scan's world against the template's, RAS
TURN = np.deg2rad(8)  # about the long axis


def write_transform(path: Path) -> np.ndarray:
    """Write a rigid transform as ANTs does, which says for the template where the scan is."""
    to_scan = np.eye(4)
    cosine, sine = np.cos(TURN), np.sin(TURN)
    to_scan[:2, :2] = [[cosine, -sine], [sine, cosine]]
    to_scan[:3, 3] = SHIFT
    flip = np.diag([-1.0, -1, 1, 1])
    lps = flip @ to_scan @ flip
    transform = ants.create_ants_transform(
        transform_type="AffineTransform",
        dimension=3,
        matrix=lps[:3, :3],
        translation=lps[:3, 3].tolist(),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    ants.write_transform(transform, str(path))
    return to_scan


def segmented(job: Job, scan: Scan, order: str = "RAS") -> None:
    """Leave what the segment step does of a ball on the left."""
    layout = job.layout
    to_scan = write_transform(layout.transform(scan))
    native = (to_scan @ [*CENTRE, 1])[:3]
    lesion = ellipsoid(tuple(native), (12, 12, 12), order=order)
    brain = ellipsoid(tuple(SHIFT), (65, 65, 65), order=order)
    template = standard_brain(layout.resolution)
    indices = np.indices(template.shape).reshape(3, -1)
    world = template.affine[:3, :3] @ indices + template.affine[:3, 3:]
    ball = np.linalg.norm(world - np.array(CENTRE)[:, None], axis=0).reshape(template.shape) <= 12
    mask, standard = (
        one(scan, label="L", suffix="mask") for one in (layout.native, layout.standard)
    )
    junior = layout.native(scan, label="L", desc="junior", suffix="mask")
    for path, data, affine in (
        (mask, lesion.mask, lesion.affine),
        (layout.native_brain(scan), brain.mask, brain.affine),
        (standard, ball, template.affine),
    ):
        nib.save(nib.Nifti1Image(data.astype(np.uint8), affine), path)
    for path in (mask, standard, junior):
        write_json(path.with_name(path.name.replace(".nii.gz", ".json")), {"Type": "Lesion"})
    result = {"participant_id": f"sub-{scan.subject}", "scan": scan.name, "role": "tumour"}
    write_json(layout.result(scan), {**result, "volume_mL": 7.0, "qc_flags": []})
    job.ledger.mark(Step.SEGMENT, scan.key, "s", [mask, standard], scan=scan)


@pytest.fixture
def atlas(tmp_path: Path) -> str:
    """Two halves on a grid of their own, the left one with a name."""
    affine = np.diag([-3.0, 3, 3, 1])
    affine[:3, 3] = [90, -120, -70]
    x, y, z = (
        axis * index + start
        for index, axis, start in zip(
            np.ogrid[:60, :70, :60], (-3, 3, 3), affine[:3, 3], strict=True
        )
    )
    labels = np.where(x < 0, 7, 9) * (x**2 + (y + 18) ** 2 + (z - 8) ** 2 < 60**2)
    path = tmp_path / "tpl-MNI152NLin2009aSym_atlas-halves_dseg.nii.gz"
    nib.save(nib.Nifti1Image(labels.astype(np.int16), affine), path)
    names = tmp_path / "names.tsv"
    names.write_text("index\tname\n7\tleft half\n9\tright half\n")
    return f"{path}:{names}"


@pytest.mark.parametrize("order", ["RAS", "LAS", OBLIQUE])
def test_a_lesion_is_found_where_it_is(tmp_path: Path, order: str) -> None:
    job = make_job(tmp_path, tumours=1, tumourfree=0)
    (scan,) = job.selected(Role.TUMOUR)
    segmented(job, scan, order)
    describe_location(scan, job.layout, None)
    figures = json.loads(job.layout.location(scan.name).read_text())
    where = figures["Location"]
    found = [where[f"centre_{axis}_mm"] for axis in "xyz"]
    assert np.linalg.norm(np.subtract(found, CENTRE)) < 2
    assert where["side"] == "left"
    depth = 65 - np.linalg.norm(CENTRE) - 12
    assert where["surface_distance_mm"] == pytest.approx(depth, abs=2.5)
    assert where["wm_share"] + where["gm_share"] + where["csf_share"] == pytest.approx(1, abs=0.02)
    assert figures["Size"]["longest_diameter_mm"] == pytest.approx(24, abs=2)
    assert figures["Regions"] == {}


def test_the_transform_is_read_as_it_is_applied(tmp_path: Path) -> None:
    path = tmp_path / "x y" / "é_xfm.mat"
    to_scan = write_transform(path)
    assert scan_to_template(path) == pytest.approx(np.linalg.inv(to_scan), abs=1e-4)


def test_sidecars_tables_and_map_tell_of_it(tmp_path: Path, atlas: str) -> None:
    job = make_job(tmp_path, tumours=2, tumourfree=0, atlas=atlas)
    scans = job.selected(Role.TUMOUR)
    for scan in scans:
        segmented(job, scan)
        describe_location(scan, job.layout, load_atlas(atlas))
    layout = job.layout
    for path, told in (
        (layout.native(scans[0], label="L", suffix="mask"), True),
        (layout.standard(scans[0], label="L", suffix="mask"), True),
        (layout.native(scans[0], label="L", desc="junior", suffix="mask"), False),
    ):
        said = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
        assert said["Type"] == "Lesion"
        assert bool(said["Location"]) == bool(said["Size"]) == bool(said["Regions"]) == told
    tables.write(job)
    out = job.settings.output_dir
    header, *rows = (
        line.split("\t") for line in (out / "participants.tsv").read_text().splitlines()
    )
    assert [dict(zip(header, row, strict=True))["side"] for row in rows] == ["left", "left"]
    lines = (out / "group_desc-regions_volumes.tsv").read_text().splitlines()
    assert len(lines) == 3
    assert lines[1].split("\t")[-3] == "left half"
    name = layout.group_image(desc="frequency", suffix="probseg").name
    image = nib.load(out / name)
    share = image.get_fdata()
    assert share.max() == 1  # both participants have it in one place
    assert int(image.header["sform_code"]) == 4
    assert (out / name.replace(".nii.gz", ".png")).stat().st_size > 1000
    # Nothing has changed: nothing is written anew. A tumour that went is no longer counted.
    before = (out / name).stat().st_mtime_ns
    frequency.write(job)
    assert (out / name).stat().st_mtime_ns == before
    empty = nib.Nifti1Image(np.zeros(share.shape, np.uint8), image.affine)
    nib.save(empty, layout.standard(scans[0], label="L", suffix="mask"))
    job.ledger.mark(
        Step.SEGMENT,
        scans[0].key,
        "other",
        [layout.standard(scans[0], label="L", suffix="mask")],
        scan=scans[0],
    )
    frequency.write(job)
    assert nib.load(out / name).get_fdata().max() == 0.5


def test_the_map_is_left_to_the_job_that_replaces_a_mask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(tmp_path, tumours=1, tumourfree=0)
    (scan,) = job.selected(Role.TUMOUR)
    segmented(job, scan)

    def gone(path: Path) -> None:
        raise FileNotFoundError(path)

    made = job.layout.group_image(desc="frequency", suffix="probseg")
    with monkeypatch.context() as patch:
        patch.setattr(frequency, "load_volume", gone)
        frequency.write(job)
    assert not made.exists()
    frequency.write(job)
    assert made.is_file()


def test_figures_follow_mask_and_atlas(tmp_path: Path, atlas: str) -> None:
    job = make_job(tmp_path, tumours=1, tumourfree=0)
    (scan,) = job.selected(Role.TUMOUR)
    segmented(job, scan)
    record = job.layout.location(scan.name)
    describe_location(scan, job.layout, None)
    before = record.stat().st_mtime_ns
    describe_location(scan, job.layout, None)
    assert record.stat().st_mtime_ns == before
    describe_location(scan, job.layout, load_atlas(atlas))
    regions = json.loads(record.read_text())["Regions"]
    assert regions["Volumes"][0]["region"] == "left half"
    mask = job.layout.native(scan, label="L", suffix="mask")
    nib.save(nib.Nifti1Image(np.zeros((70, 70, 70), np.uint8), nib.load(mask).affine), mask)
    describe_location(scan, job.layout, None)
    assert json.loads(record.read_text()) == {"Size": {}, "Location": {}, "Regions": {}}


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ("missing", "no such file"),
        ("elsewhere", "0% of its"),
        ("probabilities", "one whole number a voxel"),
        ("large numbers", "cannot be told apart"),
        ("huge numbers", "cannot be told apart"),
        ("labels", "columns index and name"),
        ("twice", "several columns 'name' that differ"),
    ],
)
def test_an_atlas_that_cannot_serve_is_left_out_with_a_sentence(
    tmp_path: Path, atlas: str, broken: str, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    path, labels = map(Path, atlas.split(":"))
    if broken == "missing":
        path.unlink()
    elif broken == "labels":
        labels.write_text("number\tregion\n7\tleft\n")
    elif broken == "twice":
        labels.write_text("index\tname\tname\n7\tleft\tright\n")
    else:
        image = nib.load(path)
        affine, data = image.affine.copy(), image.get_fdata(dtype=np.float32)
        if broken == "elsewhere":
            affine[:3, 3] += 400
        elif broken == "large numbers":
            data = np.where(data > 0, 2**24 - 6 + data, 0).astype(np.int32)
        elif broken == "huge numbers":
            data *= -1e9
        else:
            data *= 0.1
        nib.save(nib.Nifti1Image(data, affine), path)
    with caplog.at_level(logging.WARNING):
        assert load_atlas(atlas) is None
    assert sentence in caplog.text
    assert "--atlas" in caplog.text


def test_an_atlas_of_another_template_is_used_with_a_warning(
    atlas: str, caplog: pytest.LogCaptureFixture
) -> None:
    path, labels = map(Path, atlas.split(":"))
    other = path.rename(path.with_name("tpl-MNI152NLin6Asym_atlas-halves_dseg.nii.gz"))
    with caplog.at_level(logging.WARNING):
        assert load_atlas(f"{other}:{labels}") is not None
    assert "MNI152NLin6Asym" in caplog.text
