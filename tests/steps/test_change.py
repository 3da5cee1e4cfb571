"""Change between sessions, from segmentations of a head that moved to maps, tables and page."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.execution.outcome import Status
from synthtumour_bids.files import write_json
from synthtumour_bids.job import Job
from synthtumour_bids.ledger import Failure, Identity
from synthtumour_bids.preprocessing.sessions import halfway_transforms
from synthtumour_bids.settings import Step
from synthtumour_bids.steps import change, tables
from synthtumour_bids.steps.change_sessions import one_a_session
from tests.builders.jobs import make_job, make_scan, with_scans
from tests.steps.test_locations import write_transform

SPACING = 3.0
SHAPE = (56, 64, 52)
POSE = np.eye(4)  # where the second session has the head
POSE[:3, :3] = Rotation.from_euler("zyx", [7, -4, 5], degrees=True).as_matrix()
POSE[:3, 3] = (6.0, -4.0, 5.0)


def draw(pose: np.ndarray, radius: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """An ellipsoid of a brain with a pattern and a ball of a tumour, on the grid of all scans."""
    points = np.indices(SHAPE).reshape(3, -1).T * SPACING - SPACING * (np.array(SHAPE) - 1) / 2
    x, y, z = nib.affines.apply_affine(np.linalg.inv(pose), points).T.reshape(3, *SHAPE)
    brain = (x / 62) ** 2 + (y / 78) ** 2 + (z / 58) ** 2 < 1
    tumour = (x + 25) ** 2 + (y - 10) ** 2 + (z - 15) ** 2 <= radius**2
    pattern = np.sin(x / 9) + np.sin((y + 0.4 * x) / 11) + np.sin((z - 0.3 * y) / 8)
    head = brain * (100 + 12 * pattern + 60 * tumour) + rng.normal(0, 2, SHAPE)
    return {"head": head.astype(np.float32), "brain": brain, "tumour": tumour & brain}


def segmented(job: Job, scan: Scan, drawn: dict[str, np.ndarray]) -> None:
    """Leave what the segment step does."""
    layout = job.layout
    affine = np.diag([SPACING] * 3 + [1.0])
    affine[:3, 3] = -SPACING * (np.array(SHAPE) - 1) / 2
    mask = layout.native(scan, label="L", suffix="mask")
    write_transform(layout.transform(scan))
    for path, values in (
        (layout.native_image(scan), drawn["head"]),
        (layout.native_brain(scan), drawn["brain"].astype(np.uint8)),
        (mask, drawn["tumour"].astype(np.uint8)),
    ):
        nib.save(nib.Nifti1Image(values, affine), path)
        write_json(path.with_name(path.name.replace(".nii.gz", ".json")), {"SkullStripped": False})
    job.ledger.mark(Step.SEGMENT, scan.key, "s", [mask], scan=scan)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Two sessions half a year apart, the tumour's radius 15 and then 20 mm."""
    root = tmp_path_factory.mktemp("change")
    scans = tuple(make_scan(root / "bids", "01", session=session) for session in ("1", "2"))
    job = make_job(root, scans=scans)
    rng = np.random.default_rng(1)
    for scan, pose, radius in zip(scans, (np.eye(4), POSE), (15, 20), strict=True):
        segmented(job, scan, draw(pose, radius, rng))
    table = root / "bids" / "sub-01" / "sub-01_sessions.tsv"
    table.parent.mkdir(parents=True)
    table.write_text("session_id\tacq_time\nses-1\t1900-01-01\nses-2\t1900-07-02\n")
    # On a day when the first session was the last, it failed.
    job.ledger.mark_failure(Failure(change.STEP, Identity.of(scans[0]), "tumour", "disk full"))
    assert [one.message for one in change.run(job)] == [""]
    assert job.ledger.failures() == []
    return job


def test_a_grown_tumour_is_measured_half_way(compared: Job) -> None:
    record = json.loads(compared.layout.change("01").read_text())
    (found,) = record["Changes"]
    assert found["verdict"] == "grown"
    assert found["radius_change_mm"] == pytest.approx(5, abs=0.3)
    assert found["radius_rate_mm_per_year"] == pytest.approx(10, abs=0.7)
    assert found["likeness"] > 0.85
    assert found["difference_sd"] > 2
    # A ball inside another: nothing is gone but at its rim, which voxels of 3 mm leave open.
    assert found["gone_mL"] < 0.02 * found["stable_mL"]
    first, second = compared.selection.selected
    path = compared.layout.native(second, space="halfway", desc="change", suffix="dseg")
    changes = nib.load(path)
    stable = np.asanyarray(changes.dataobj) == 1
    centre = nib.affines.apply_affine(changes.affine, ndimage.center_of_mass(stable))
    places = [(-25, 10, 15), nib.affines.apply_affine(POSE, (-25, 10, 15))]
    # Half-way: as far from where the tumour was in one scan as in the other.
    assert np.linalg.norm(centre - np.mean(places, axis=0)) < 1.5
    assert path.with_name(path.name.replace(".nii.gz", ".tsv")).read_text().split("\n")[2:4] == [
        "2\tnew\t#D55E00",
        "3\tgone\t#56B4E9",
    ]
    said = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
    assert "simulated heads" in said["SmallestMeasurable"]
    aligned = compared.layout.native(first, space="halfway", desc="preproc", suffix="FLAIR")
    assert nib.load(aligned).shape == changes.shape


def test_tables_and_page_tell_of_it(compared: Job) -> None:
    tables.write(compared)
    header, row = (
        line.split("\t")
        for line in (compared.settings.output_dir / "group_desc-change_volumes.tsv")
        .read_text()
        .splitlines()
    )
    said = dict(zip(header, row, strict=True))
    assert (said["session_id"], said["previous_session_id"]) == ("ses-2", "ses-1")
    assert said["verdict"] == "grown"
    page = compared.layout.page_part("raw", "01", "change").read_text()
    assert "ses-1 to ses-2" in page
    assert re.search(r"in 0\.5 years: \+(9|10)\.\d mm/year", page)
    for name in ("sub-01_desc-change_report.svg", "sub-01_ses-2_desc-change_FLAIR.svg"):
        assert f'src="sub-01/figures/{name}"' in page
        assert (compared.settings.output_dir / "sub-01" / "figures" / name).stat().st_size > 1000


def test_nothing_is_measured_twice_and_a_lost_session_is_told(
    compared: Job, caplog: pytest.LogCaptureFixture
) -> None:
    record = compared.layout.change("01")
    before = record.stat().st_mtime_ns
    scans = compared.selection.selected
    lost = [make_scan(compared.settings.bids_dir, "01", session=str(n)) for n in (3, 4, 5)]
    for failed, words in enumerate(
        ("ses-3 is not", "neither ses-3 nor ses-4 is", "none of ses-3, ses-4 and ses-5 is"), 1
    ):
        with caplog.at_level(logging.WARNING):
            change.run(with_scans(compared, *scans, *lost[:failed]))
        assert record.stat().st_mtime_ns == before
        assert f"sub-01: {words} segmented; change is told between the other" in caplog.text


def test_one_who_fails_stops_no_other(compared: Job) -> None:
    lost = [make_scan(compared.settings.bids_dir, "02", session=session) for session in "12"]
    for scan in lost:  # whose images are gone
        compared.ledger.mark(Step.SEGMENT, scan.key, "s", scan=scan)
    outcomes = change.run(with_scans(compared, *compared.selection.selected, *lost))
    assert {one.key: one.status for one in outcomes} == {
        "raw/sub-01_ses-2_FLAIR": Status.DONE,
        "raw/sub-02_ses-2_FLAIR": Status.FAILED,
    }
    assert "sub-02_ses-1" in outcomes[1].message
    assert compared.layout.change("01").is_file()


def test_scans_that_are_named_alike_are_compared(tmp_path: Path) -> None:
    def scan(session: str, **more: str) -> Scan:
        entities = (("sub", "1"), ("ses", session), *more.items())
        made = make_scan(tmp_path, "1", session=session)
        return Scan(made.path, entities, "FLAIR", made.role, made.dataset)

    chosen = one_a_session(
        [scan("10"), scan("2"), scan("2", acq="thick"), scan("1", acq="thick"), scan("1")]
    )
    assert [one.name for one in chosen] == [f"sub-1_ses-{n}_FLAIR" for n in (1, 2, 10)]


def test_half_way_is_the_middle_of_all_ways(rng: np.random.Generator) -> None:
    ways = [np.eye(4), np.linalg.inv(POSE)]
    centre = np.array([3.0, -5.0, 20.0])
    shared = halfway_transforms(ways, centre)
    turns = [Rotation.from_matrix(one[:3, :3]) for one in shared]
    assert (turns[0] * turns[1]).magnitude() == pytest.approx(0, abs=1e-6)
    for one, way in zip(shared, ways, strict=True):
        point = rng.normal(0, 50, 3)
        there = nib.affines.apply_affine(one, nib.affines.apply_affine(np.linalg.inv(way), point))
        assert there == pytest.approx(nib.affines.apply_affine(shared[0], point))
