"""Filter files narrow which scans are found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from synthtumour_bids.errors import DataError, UsageError
from tests.builders.datasets import collect, found, keys, make


def filtered(main: Path, *others: Path, **queries) -> list[str]:
    path = main.parent / "filters.json"
    path.write_text(json.dumps(queries))
    return found(main, *others, bids_filter_file=path)


@pytest.mark.parametrize("query", ["flair", "image"])
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"acquisition": "3D"}, ["sub-02_ses-1_acq-3D"]),
        ({"run": 2}, ["sub-02_ses-2_run-02"]),
        ({"run": "02"}, ["sub-02_ses-2_run-02"]),
        ({"run": [1, 2]}, ["sub-02_ses-2_run-01", "sub-02_ses-2_run-02"]),
        ({"run": None}, ["sub-01", "sub-02_ses-1_acq-3D", "sub-03"]),
        ({"session": "*", "run": None}, ["sub-02_ses-1_acq-3D"]),
        ({"session": "*", "run": [None, 1]}, ["sub-02_ses-1_acq-3D", "sub-02_ses-2_run-01"]),
        ({"subject": ["01", "03"]}, ["sub-01", "sub-03"]),
    ],
)
def test_filters(main, query, filters, expected):
    assert filtered(main, **{query: filters}) == expected


def test_filters_by_role(main, healthy):
    assert filtered(main, tumour={"session": "1"}) == ["sub-01", "sub-02_ses-1_acq-3D"]
    assert filtered(main, tumourfree={"subject": "none"}) == [
        key for key in found(main) if key != "sub-01"
    ]
    assert filtered(main, healthy, healthy={"session": "*"})[-1:] == ["tumourfree/sub-h1_ses-9"]
    # Two queries for the same scans add up.
    assert filtered(main, flair={"session": "1"}, image={"acquisition": "3D", "session": "1"}) == [
        "sub-02_ses-1_acq-3D"
    ]
    # A role's own filter goes before the common one.
    assert filtered(main, image={"session": "2"}, tumourfree={"session": None}) == [
        "sub-01",
        "sub-02_ses-2_run-01",
        "sub-02_ses-2_run-02",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"JSON syntax error in: .*filters\.json"),
        ("[]", "must hold an object"),
        ('{"bold": {}}', r"does not make: 'bold'.*flair"),
        ('{"flair": []}', "must be an object"),
        ('{"flair": {"run": {}}}', "neither a text"),
        ('{"flair": {"run": []}}', "neither a text"),
        ('{"flair": {"suffix": "T1w"}}', "decided by --contrast"),
        ('{"flair": {}, "flair": {"run": 1}}', r"filters\.json.*'flair' is there twice"),
        ('{"flair": {"run": 1, "run": 2}}', "'run' is there twice"),
        ('{"flair": {"run": 1}, "image": {"run": 2}}', "'image' sets 'run' to 2 and the .* to 1"),
        ('{"healthy": {"run": 1}, "tumourfree": {"run": 2}}', "two queries for the same scans"),
        ('{"flair": {"colour": "red"}}', "'colour', which is no entity.*acquisition"),
    ],
)
def test_filter_files_with_mistakes(main, content, message):
    path = main.parent / "filters.json"
    path.write_text(content)
    with pytest.raises(UsageError, match=message):
        collect(main, bids_filter_file=path)


def test_a_missing_filter_file(main):
    with pytest.raises(UsageError, match="cannot be read"):
        collect(main, bids_filter_file=main / "no.json")


def test_nothing_left_is_an_error_with_the_filters_in_it(main):
    path = main.parent / "filters.json"
    path.write_text('{"flair": {"acquisition": "2D"}}')
    with pytest.raises(DataError) as info:
        collect(main, bids_filter_file=path, exclude_participant_label=("01",))
    for part in ("No FLAIR image", str(main), f"--bids-filter-file {path}", "label 01"):
        assert part in str(info.value)


ODD = ("sub-01_acq-FLAIR_T2w.nii.gz", "sub-01_T2w.nii.gz", "sub-02_FLAIR.nii.gz")


def test_a_role_may_have_another_suffix(tmp_path: Path, healthy: Path) -> None:
    root = make(tmp_path / "odd", *ODD, "sub-02_acq-FLAIR_T2w.nii.gz")
    path = tmp_path / "filters.json"
    query = {"suffix": "T2w", "acquisition": "FLAIR"}
    path.write_text(json.dumps({"tumour": query}))
    scans = collect(root, healthy, bids_filter_file=path).everything
    ours = [scan for scan in scans if scan.dataset_name == "raw"]
    assert [scan.name for scan in ours] == ["sub-01_acq-FLAIR_T2w", "sub-02_acq-FLAIR_T2w"]
    others = [scan for scan in scans if scan.dataset_name != "raw"]
    assert {scan.suffix for scan in others} == {"FLAIR"}
    assert others


def test_one_participant_may_be_named_in_either_way(tmp_path: Path, healthy: Path) -> None:
    root = make(tmp_path / "odd", *ODD)
    path = tmp_path / "filters.json"
    path.write_text(
        json.dumps({"tumour": {"suffix": ["FLAIR", "T2w"], "acquisition": [None, "FLAIR"]}})
    )
    selected = keys(collect(root, healthy, bids_filter_file=path).selected)
    names = [name for name in selected if name.startswith("raw/")]
    assert names == ["raw/sub-01_T2w", "raw/sub-01_acq-FLAIR_T2w", "raw/sub-02_FLAIR"]
    make(root, "sub-02_T2w.nii.gz")
    with pytest.raises(DataError, match="differ in their suffix alone"):
        collect(root, healthy, bids_filter_file=path)


@pytest.mark.parametrize("suffix", [None, "*", [], ["T2w", None], "T2w.nii"])
def test_a_suffix_must_be_a_name(tmp_path: Path, suffix: object) -> None:
    root = make(tmp_path / "odd", *ODD)
    path = tmp_path / "filters.json"
    path.write_text(json.dumps({"tumour": {"suffix": suffix}}))
    with pytest.raises(UsageError, match="'tumour'"):
        collect(root, bids_filter_file=path)


def test_entities_may_be_called_as_in_file_names(main):
    assert filtered(main, flair={"acq": "3D"}) == filtered(main, flair={"acquisition": "3D"})
    with pytest.raises(UsageError, match="has an entity by two names: acq, acquisition"):
        filtered(main, flair={"acq": "3D", "acquisition": "3D"})


@pytest.mark.parametrize(
    "value", [10**25, [10**25]], ids=["a number that no index can hold", "in a list"]
)
def test_values_that_cannot_be_asked_for_are_a_sentence(main, value):
    with pytest.raises(UsageError, match="--bids-filter-file cannot be used"):
        filtered(main, flair={"run": value})
