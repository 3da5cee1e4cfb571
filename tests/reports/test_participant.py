"""A participant's page is made of all parts, whatever scans and folders are called."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from synthtumour_bids.reports.participant import assemble


def page_of(root: Path, subject: str, *scans: str) -> str:
    """Page of a participant with a summary, and with two parts of each scan."""
    figures = root / f"sub-{subject}" / "figures"
    figures.mkdir(parents=True)
    (figures / f"sub-{subject}_desc-verdict_report.html").write_text("<p>the verdict</p>")
    for scan in scans:
        stem, _, suffix = scan.rpartition("_")
        for desc in ("summary", "tumour", "viewer"):  # the last one is no part of the page
            (figures / f"{stem}_desc-{desc}_{suffix}.html").write_text(f"<p>{desc} of {scan}</p>")
    assemble(root / f"sub-{subject}.html", subject)
    return (root / f"sub-{subject}.html").read_text(encoding="utf-8")


def lines_of(page: str) -> list[str]:
    """Headings of scans and the parts, as one reads them."""
    found = re.findall(r"<h3>(Reports for.*?)</h3>|<p>(\w+ of .*?|the verdict)</p>", page)
    return [re.sub(r"<.*?>", "", title or part) for title, part in found]


@pytest.mark.parametrize(
    ("more", "heading"),
    [
        ("ses-2", "session 2"),
        ("acq-hi", "acquisition hi"),
        ("ce-gd", "ceagent gd"),
        ("rec-a_run-02", "reconstruction a, run 02"),
    ],
)
def test_the_scan_whose_name_says_least_is_on_the_page(
    tmp_path: Path, more: str, heading: str
) -> None:
    page = page_of(tmp_path, "01", "sub-01_FLAIR", f"sub-01_{more}_FLAIR")
    assert lines_of(page) == [
        "the verdict",
        "Reports for: suffix FLAIR.",
        *("summary of sub-01_FLAIR", "tumour of sub-01_FLAIR"),
        f"Reports for: {heading}.",
        *(f"summary of sub-01_{more}_FLAIR", f"tumour of sub-01_{more}_FLAIR"),
    ]
    assert re.findall(r"<h2>(.*?)</h2>", page) == ["Summary", "Scans"]


def test_nothing_is_said_of_the_only_scan_where_its_name_says_nothing(tmp_path: Path) -> None:
    of_one = lines_of(page_of(tmp_path, "01", "sub-01_FLAIR"))
    assert of_one == ["the verdict", "summary of sub-01_FLAIR", "tumour of sub-01_FLAIR"]
    assert "Reports for: session 1." in lines_of(page_of(tmp_path, "02", "sub-02_ses-1_FLAIR"))


@pytest.mark.parametrize(
    "folder", ["anat", "dwi/out", "fmap", "sub-99/out", "my_desc-x", "run-2/out", "study_ses-7"]
)
def test_folders_above_the_output_tell_nothing(tmp_path: Path, folder: str) -> None:
    lines = lines_of(page_of(tmp_path / folder, "01", "sub-01_FLAIR"))
    assert lines == ["the verdict", "summary of sub-01_FLAIR", "tumour of sub-01_FLAIR"]


def test_labels_may_have_a_plus(tmp_path: Path) -> None:
    lines = lines_of(page_of(tmp_path, "01+a", "sub-01+a_ses-x+y_FLAIR"))
    assert lines[:2] == ["the verdict", "Reports for: session x+y."]
    assert len(lines) == 4
