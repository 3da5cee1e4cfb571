"""Pages can be used without seeing them: links are links, and labels find what they are of."""

from __future__ import annotations

import re
from pathlib import Path

from synthtumour_bids.reports import group
from synthtumour_bids.reports.group_page import write_group_page
from synthtumour_bids.reports.templates import write_page
from tests.reports.test_group import scored


def test_links_in_charts_are_named_and_no_part_of_a_picture(tmp_path: Path) -> None:
    scans = [scored(f"sub-{n:02d}", 0.9, volume_mL=20.0 + n) for n in range(9)]
    scans.append(scored("sub-10", 0.8, volume_mL=400.0, volume_error_mL=60.0))
    for scan in scans:
        (tmp_path / f"{scan['participant_id']}.html").touch()
    rows = group.participant_rows(scans, [])
    write_group_page(tmp_path / "group.html", rows, group.scan_rows(scans), [])
    page = (tmp_path / "group.html").read_text(encoding="utf-8")
    charts = [one for one in re.findall(r"<svg.*?</svg>", page, re.DOTALL) if "<a " in one]
    assert len(charts) > 1
    for chart in charts:
        assert 'role="group" aria-label=' in chart
        linked = re.findall(r'<a href="[^"#]+" aria-label="([^"]+)">.*?<title>(.*?)</title>', chart)
        assert len(linked) == chart.count("<a ")
        assert all(label == title for label, title in linked)
    assert 'aria-label="sub-10_FLAIR: 400 mL"' in page
    assert 'aria-label="sub-10_FLAIR: +60.0 mL"' in page


def test_ids_have_no_spaces(tmp_path: Path) -> None:
    path = tmp_path / "part.html"
    words = {"scan": "sub-01_FLAIR", "other": "T1w image", "caption": "Both."}
    write_page(path, "flicker.html", **words, sources=["a", "b"], descriptions=["A", "B"])
    page = path.read_text(encoding="utf-8")
    assert 'id="sub-01_FLAIR-T1w-image"' in page
    assert 'for="sub-01_FLAIR-T1w-image">show the T1w image<' in page
