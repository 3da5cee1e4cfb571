"""The tutorial runs as it stands, and shows the picture that it makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.image import imread

from tests.docs.pages import run_page

PAGE = Path(__file__).parents[2] / "docs" / "usage" / "python.md"
PICTURE = PAGE.parent / "images" / "python.png"


def test_the_page_runs_and_makes_the_picture_it_shows(tmp_path):
    names = run_page(PAGE, tmp_path)
    for label in (names["label"], names["mixed_label"], names["coarse"].classes):
        assert 1000 < np.count_nonzero(label) < 40_000
    assert names["after"] > names["before"] + 0.05
    assert names["half"] is not None

    made, shown = imread(tmp_path / PICTURE.name), imread(PICTURE)
    assert made.shape == shown.shape
    assert np.abs(made - shown).mean() < 0.02  # fonts differ between machines
    assert PICTURE.stat().st_size < 300_000
    assert f"images/{PICTURE.name}" in PAGE.read_text(encoding="utf-8")


def test_its_lines_are_short():
    assert max(map(len, PAGE.read_text(encoding="utf-8").splitlines())) <= 100
