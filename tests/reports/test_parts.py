"""Parts of reports: places, the data of the interactive view, charts."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthtumour_bids.files import hash_file
from synthtumour_bids.layout import Layout
from synthtumour_bids.reports import viewer
from synthtumour_bids.reports.charts import Agreement, Distribution, Point
from synthtumour_bids.reports.facts import place_of
from synthtumour_bids.reports.line_chart import Chart, ticks
from synthtumour_bids.reports.participant_table import MOST_ROWS, as_text
from synthtumour_bids.volumes import Volume
from tests.builders.jobs import make_scan
from tests.builders.reports import make_head, stored


def test_the_place_in_words() -> None:
    place = {"left_share": 0.25, "centre_x_mm": 4.6, "centre_y_mm": -3.2, "centre_z_mm": 0.0}
    centre = "centre at x = 5, y = -3, z = 0 mm of MNI152NLin2009aSym"
    assert place_of({**place, "side": "right"}) == f"right, {centre}"
    assert place_of({**place, "side": "both"}) == f"both sides (25 % of it left), {centre}"
    assert place_of({}) == "n/a, as the mask is empty"


def written(path: Path) -> dict[str, nib.Nifti1Image]:
    content = json.loads(path.read_text().removeprefix("window.volumes = ").removesuffix(";\n"))
    return {
        name: nib.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(content[name])))
        for name in ("scan", "mask", "probability")
    }


@pytest.mark.parametrize("limit", [viewer.LARGEST_BYTES, 4000])
def test_the_view_holds_no_face_and_is_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(viewer, "LARGEST_BYTES", limit)
    head = make_head()
    head["image"] += np.random.default_rng(0).normal(0, 5, head["image"].shape).astype(np.float32)
    names = ("image", "brain", "mask", "probability")
    volumes = [Volume.of(stored(head[name].astype(np.float32))) for name in names]
    page, library = tmp_path / "a" / "figures" / "v.html", tmp_path / "figures" / "niivue.umd.js"
    factor = viewer.write_viewer(*volumes, title="x", page=page, library=library)
    assert page.with_suffix(".js").stat().st_size <= limit
    assert (factor == 1) == (limit > 4000)
    shown = written(page.with_suffix(".js"))
    scan = shown["scan"]
    to_voxels = np.linalg.inv(volumes[1].affine) @ scan.affine
    inside = nib.affines.apply_affine(to_voxels, np.argwhere(np.asanyarray(scan.dataobj) > 0))
    assert len(inside) > 100
    if factor == 1:
        assert head["brain"][tuple(np.rint(inside).astype(int).T)].all()
        assert shown["probability"].get_fdata().max() == pytest.approx(0.9)
    assert hash_file(library) == hash_file(viewer.LIBRARY)


@pytest.mark.parametrize("dataset", ["raw", "tumourfree2"])
def test_the_view_finds_its_library_from_any_dataset(tmp_path: Path, dataset: str) -> None:
    layout = Layout(tmp_path, tmp_path / "work", 2.0)
    scan = make_scan(tmp_path, "01", dataset=dataset)
    head, page = make_head(), layout.figure(scan, "viewer")
    names = ("image", "brain", "mask", "probability")
    volumes = [Volume.of(stored(head[name].astype(np.float32))) for name in names]
    viewer.write_viewer(*volumes, title="x", page=page, library=layout.viewer_library)
    (link,) = re.findall(r'src="([^"]*niivue[^"]*)"', page.read_text())
    assert (page.parent / link).resolve() == layout.viewer_library.resolve()


def test_the_vendored_library_is_what_its_checksum_says() -> None:
    digest, name = (viewer.LIBRARY.parent / "SHA256SUMS").read_text().split()
    assert (name, digest) == (viewer.LIBRARY.name, hash_file(viewer.LIBRARY))
    assert (viewer.LIBRARY.parent / "LICENSE").read_text().count("Copyright") >= 8


def test_outliers_and_limits_of_agreement() -> None:
    points = [Point(str(value), value) for value in (1.0, 2.0, 3.0, 4.0, 30.0, 90.0)]
    found = Distribution.of("x", "mL", points)
    assert [point.value for point in found.outliers] == [90.0]
    assert sum(found.counts) == 6
    agreement = Agreement.of([10.0, 20.0], [Point("a", 2.0), Point("b", 4.0)])
    assert agreement.means == (9.0, 18.0)
    assert agreement.bias == 3
    assert agreement.limits == pytest.approx((3 - 1.96 * 2**0.5, 3 + 1.96 * 2**0.5))
    assert Distribution.of("x", "mL", points[:1]).share(1.0) == pytest.approx(0.5)


@given(low=st.floats(-1e3, 1e3), span=st.floats(1e-3, 1e6))
def test_ticks_are_few_round_and_inside(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert 1 <= len(found) <= 7
    assert all(low - 1e-6 * span <= one <= low + (1 + 1e-6) * span for one in found)
    if len(found) > 2:
        steps = np.diff(found)
        assert steps == pytest.approx([steps[0]] * len(steps), rel=1e-3)


def test_a_line_has_a_gap_where_nothing_was_measured() -> None:
    values = [1.0, 2.0, float("nan"), 2.0]
    chart = Chart("t", "x", "y", (0, 1, 2, 3), {"a": values}, y_limits=(0.0, 2.0))
    first, second = chart.paths("a")
    assert len(first.split()) == 2
    assert second == f"{chart.across(3):.1f},{chart.down(2):.1f}"
    assert chart.down(2) < chart.down(0)


def test_the_table_of_participants_begins_with_what_needs_a_look() -> None:
    rows = [
        {"participant_id": f"sub-{n:02d}", "status": "segmented", "volume_mL": 0.0, "qc_flags": []}
        for n in range(40)
    ]
    rows[7] = {**rows[7], "volume_mL": 4.04, "qc_flags": ["uncertain"]}
    rows[9] = {**rows[9], "status": "failed", "volume_mL": None, "failure": "preprocess: x" * 20}
    lines = as_text(rows).splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["participant", "sub-09", "sub-07", "sub-00"]
    assert lines[1].endswith("…")
    assert lines[2].split() == ["sub-07", "segmented", "4.0", "mL", "uncertain"]
    assert lines[-1].strip().startswith(f"… and {40 - MOST_ROWS} more")
    assert "none found" in lines[3]
