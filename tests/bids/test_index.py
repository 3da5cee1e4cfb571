"""What pybids would trip over before it has looked at any image."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from synthtumour_bids.errors import DataError
from tests.builders.datasets import collect, found, keys, make


@pytest.fixture
def root(tmp_path) -> Path:
    return make(tmp_path / "raw", "sub-01_FLAIR.nii.gz", "sub-02_FLAIR.nii.gz")


@pytest.mark.parametrize(
    "text",
    [
        '"x"',
        "[1]",
        "[" * 100_000,
        "1" * 5000,
        '{"DatasetType": "derivative", "GeneratedBy": 3}',
        '{"DatasetType": "derivative", "GeneratedBy": ["Name"]}',
    ],
)
def test_a_description_that_is_none_is_told(root, text):
    (root / "dataset_description.json").write_text(text)
    for database in (None, root.parent / "database"):
        with pytest.raises(DataError, match=r"dataset_description.json does not hold what BIDS"):
            collect(root, model=root, bids_database_dir=database)


@pytest.mark.parametrize("text", ["", "{", "null", '{"DatasetType": "derivative"}', "\ufeff{}"])
def test_a_description_without_what_matters_is_no_matter(root, text):
    (root / "dataset_description.json").write_text(text)
    assert len(keys(collect(root, model=root).selected)) == 2


def test_a_dataset_whose_path_is_in_another_encoding_is_told(root):
    moved = root.rename(root.with_name("m\udcfc"))
    with pytest.raises(DataError, match="is not in UTF-8: rename"):
        collect(moved, model=root)


def test_a_name_that_is_none_is_told_with_what_names_are(root, caplog):
    make(root, "sub-02_run-1_acq-x_FLAIR.nii.gz")
    assert len(collect(root, model=root).selected) == 2
    assert "other entities in its order" in caplog.text


@pytest.mark.parametrize("above", ["pet", "func", "run-2", "ses-1", "sub-09", "acq-3D"])
def test_words_in_the_path_above_a_dataset_mean_nothing(tmp_path, above):
    plain, other = tmp_path / "plain" / "raw", tmp_path / above / "raw"
    for root in (plain, other):
        make(root, "sub-01_FLAIR.nii.gz", "sub-01_run-2_FLAIR.nii.gz", "sub-02_acq-3D_FLAIR.nii.gz")
    filters = tmp_path / "filters.json"
    for content in ({}, {"run": 2}, {"session": None}, {"acquisition": None}, {"subject": "01"}):
        filters.write_text(json.dumps({"flair": content}))
        asked = {"junior": "train", "bids_filter_file": filters}
        wanted = found(plain, **asked)
        assert wanted
        assert found(other, **asked) == wanted
        assert found(other, **asked, bids_database_dir=tmp_path / "database") == wanted
