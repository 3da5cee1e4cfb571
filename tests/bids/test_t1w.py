"""Which T1w image goes with a scan: of its session, of its participant, or the one asked for."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from synthtumour_bids.errors import UsageError
from tests.builders.datasets import collect, make, table

NAMES = (
    *("sub-01_ses-1_FLAIR.nii.gz", "sub-01_ses-2_FLAIR.nii.gz", "sub-01_ses-3_FLAIR.nii.gz"),
    *("sub-01_ses-1_run-1_T1w.nii.gz", "sub-01_ses-1_run-2_T1w.nii.gz"),
    *("sub-01_ses-1_ce-gd_T1w.nii.gz", "sub-01_ses-3_ce-gd_T1w.nii"),
    *("sub-02_FLAIR.nii.gz", "sub-03_FLAIR.nii.gz", "sub-03_T1w.nii.gz"),
)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    root = make(tmp_path / "bids", *NAMES)
    table(root, "sub-01\ttumour", "sub-02\ttumour", "sub-03\tcontrol")
    return root


def chosen(root: Path, query: dict[str, object] | None = None, **more: object) -> dict[str, str]:
    if query is not None:
        path = root.parent / "filters.json"
        path.write_text(json.dumps({"t1w": query}))
        more["bids_filter_file"] = path
    selection = collect(root, **more)
    return {
        key.removeprefix("raw/").removesuffix("_FLAIR"): one.image.name
        for key, one in selection.t1w.items()
    }


def test_the_session_comes_first_then_the_participant(
    dataset: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        found = chosen(dataset)
    assert found == {
        "sub-01_ses-1": "sub-01_ses-1_run-1_T1w",
        "sub-01_ses-2": "sub-01_ses-1_run-1_T1w",
        "sub-01_ses-3": "sub-01_ses-3_ce-gd_T1w",
    }
    assert "ses-1_FLAIR: of several T1w images sub-01_ses-1_run-1_T1w was chosen" in caplog.text
    assert chosen(dataset, session_label=("2",)) == {"sub-01_ses-2": "sub-01_ses-1_run-1_T1w"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"run": 2}, "sub-01_ses-1_run-2_T1w"),
        ({"session": "1", "ceagent": "*"}, "sub-01_ses-1_ce-gd_T1w"),
        ({"suffix": "T1w", "datatype": "anat", "ceagent": None}, "sub-01_ses-1_run-1_T1w"),
        ({"acquisition": "none"}, None),
    ],
)
def test_a_query_chooses(dataset: Path, query: dict[str, object], expected: str | None) -> None:
    assert chosen(dataset, query).get("sub-01_ses-2") == expected


def test_the_filter_that_other_tools_need(dataset: Path) -> None:
    one = collect(dataset).t1w["raw/sub-01_ses-1_FLAIR"]
    assert one.filters == {"session": "1", "run": "1", "ceagent": None}
    assert collect(dataset, contrast="T1w").t1w["raw/sub-01_ses-3_ce-gd_T1w"].image.session == "3"


def test_a_query_of_the_t1w_image_is_checked(dataset: Path) -> None:
    with pytest.raises(UsageError, match="neither a text"):
        chosen(dataset, {"run": {}})


@pytest.mark.parametrize(
    ("query", "spaces", "words"),
    [
        ({"acquisition": "typo"}, (), ("raw/sub-01_ses-1_FLAIR, ", '{"acquisition": "typo"}')),
        ({"suffix": "MP2RAGE"}, ("T1w",), ("sub-*_MP2RAGE.nii[.gz] of", "there is none")),
        ({"run": 2}, (), ("with raw/sub-02_FLAIR: looked for sub-*_T1w.nii", "filters.json")),
        (None, ("anat",), ("with raw/sub-02_FLAIR: ", "; there is none")),
        (None, ("MNI152NLin6Asym",), ()),
        (None, (), ()),
    ],
)
def test_scans_without_the_t1w_image_that_was_spoken_of_are_named(
    dataset: Path,
    query: dict[str, object] | None,
    spaces: tuple[str, ...],
    words: tuple[str, ...],
    caplog: pytest.LogCaptureFixture,
) -> None:
    chosen(dataset, query, output_spaces=spaces)
    assert ("No T1w image goes with" in caplog.text) == bool(words)
    for word in words:
        assert word in caplog.text
