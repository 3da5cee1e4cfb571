"""Whoever was segmented and is taken for tumour-free today is no patient in any report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import pytest

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.files import write_json
from synthtumour_bids.job import Job
from synthtumour_bids.measures.columns import CHANGE
from synthtumour_bids.reports.change import CHANGE_TABLE
from synthtumour_bids.settings import Role
from synthtumour_bids.steps import change, frequency, participant_report, scan_report, tables
from synthtumour_bids.steps.methods_text import write_methods
from tests.builders.jobs import make_job, make_scan, mark_preprocessed, method_of, with_scans
from tests.builders.reports import make_head, task_of
from tests.builders.reports import segmented as drawn
from tests.steps.test_locations import segmented


def free(scan: Scan) -> Scan:
    return replace(scan, role=Role.TUMOURFREE)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Two people with a tumour, the first of whom has two sessions that were compared."""
    bids = tmp_path / "bids"
    scans = (*(make_scan(bids, "01", session=one) for one in "12"), make_scan(bids, "02"))
    made = make_job(tmp_path, scans=scans)
    mark_preprocessed(made, *scans, fingerprint="p")
    for scan in scans:
        segmented(made, scan)
    sessions = [
        {"session_id": f"ses-{one.session}", "scan": one.name, "years": None, "volume_mL": 7.0}
        for one in scans[:2]
    ]
    told = {**dict.fromkeys(CHANGE), "flags": ["sessions_unlike"]}
    record = {"participant_id": "sub-01", "Times": "", "Sessions": sessions, "Changes": [told]}
    write_json(made.layout.change("01"), record)
    part = made.layout.page_part("raw", "01", "change")
    part.parent.mkdir(parents=True)
    part.write_text("<p>grown</p>")
    return made


def page_of(job: Job) -> str:
    assert participant_report.write_pages(job) == []
    return job.layout.page("raw", "01").read_text(encoding="utf-8")


def test_pages_map_tables_and_text_forget_them(job: Job) -> None:
    first, second, other = job.selected()
    page = page_of(job)
    for words in ("7.0 mL are marked", "sessions_unlike", "grown"):
        assert words in page
    today = with_scans(job, free(first), free(second), other)
    page = page_of(today)
    assert page.count("not segmented") == 2
    for words in ("marked", "sessions_unlike", "grown"):
        assert words not in page
    table, text = job.settings.output_dir / CHANGE_TABLE, job.layout.methods_text
    image = job.layout.group_image(desc="frequency", suffix="probseg")
    for one, people in ((job, 2), (today, 1)):
        tables.write(one)
        frequency.write(one)
        write_methods(one, method_of(one))
        assert table.is_file() is (people == 2)
        assert f'"Participants": {people}' in image.with_name(
            image.name.replace(".nii.gz", ".json")
        ).read_text(encoding="utf-8")
        assert ("half-way" in text.read_text(encoding="utf-8")) is (people == 2)
    assert nib.load(image).get_fdata().max() == 1


def test_a_session_without_a_tumour_is_not_compared(job: Job) -> None:
    first, second, other = job.selected()
    today = with_scans(job, free(first), second, other)
    assert change.run(today) == []
    assert change.read_changes(today) == []
    assert len(change.read_changes(with_scans(job, other))) == 1, "a job of an array"


def test_parts_on_the_tumour_go(tmp_path: Path) -> None:
    job, scan = drawn(tmp_path, make_head())
    scan_report.report_scan(task_of(job, scan))
    figures = job.layout.figure(scan, "tumour").parent
    assert len(list(figures.glob("*.html"))) > 5
    for desc in ("twin", "twint1w"):
        job.layout.figure(scan, desc).touch()
    scan_report.report_scan(task_of(job, free(scan), truth=None))
    assert {path.name.split("_")[1] for path in figures.glob("*.html")} == {
        *("desc-summary", "desc-brain"),
    }
    assert not list(figures.glob("*.js"))
