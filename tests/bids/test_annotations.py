"""Annotated scans: found, checked, divided, or refused with a sentence."""

from __future__ import annotations

import logging
from pathlib import Path

import ants
import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.bids.annotations import Annotation
from synthtumour_bids.bids.classes import TumourClass, read_classes, write_classes
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError, UnusableScanError
from synthtumour_bids.layout import Layout
from synthtumour_bids.methods.fabrication.annotations import load_class_numbers
from synthtumour_bids.preprocessing.annotation import (
    Drawing,
    carry_to_standard,
    check_in_brain,
    explained_shift,
    numbered,
    read_drawing,
)
from synthtumour_bids.preprocessing.registration import Preprocessed
from synthtumour_bids.settings import Role
from synthtumour_bids.steps.annotations import carry
from synthtumour_bids.synthesis.fabrication.split import Annotated, rare_classes, split_annotated
from tests.builders.datasets import make
from tests.builders.fabrication_scans import ball, brain_of

TABLE = "index\tname\tcolor\n0\tbackground\t\n1\toedema\t#00ff00\n4\tcore\tn/a\n"
X = Drawing(Path("x"))
CLASSES = (TumourClass(1, "oedema", color="#00ff00"), TumourClass(4, "core"))


# ---------------------------------------------------------------------- class tables


def test_class_tables_are_read_and_written(tmp_path):
    image = tmp_path / "sub-1" / "anat" / "sub-1_desc-tumour_dseg.nii.gz"
    image.parent.mkdir(parents=True)
    (tmp_path / "dseg.tsv").write_text(TABLE)
    assert read_classes(image, tmp_path) == CLASSES
    write_classes(image.with_name("sub-1_desc-tumour_dseg.tsv"), CLASSES[:1])
    assert read_classes(image, tmp_path) == CLASSES[:1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name\tvalue\noedema\t1\n", "cannot be read as a class table"),
        ("index\tname\none\toedema\n", "cannot be read as a class table"),
        ("index\tname\n300\toedema\n", "300 is out of range"),
        ("index\tname\n1\t\n", "has no name"),
        ("index\tname\n0\tbackground\n", "no class beside the background"),
        ("index\tname\n1\toedema\n1\tcore\n", "an index twice"),
        ("index\tname\tname\n1\toedema\tcore\n", "several columns 'name'"),
    ],
)
def test_class_tables_that_tell_nothing_are_refused(tmp_path, text, words):
    (tmp_path / "dseg.tsv").write_text(text)
    with pytest.raises(DataError, match=words):
        read_classes(tmp_path / "sub-1_desc-tumour_dseg.nii.gz", tmp_path)


# ---------------------------------------------------------------------- voxels

GRID = np.diag([2.0, 2.0, 2.0, 1.0])


def test_values_become_ranks():
    values = np.zeros((3, 3, 3))
    values[0], values[1] = 1, 4
    assert numbered(values, (1, 4), X)[:, 0, 0].tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("values", "words"),
    [([0, 0], "is empty"), ([0, 2], "holds 2"), ([0, 0.5], r"holds 0\.5"), ([1, np.nan], "nan")],
)
def test_values_without_a_class_and_empty_annotations_are_refused(values, words):
    with pytest.raises(UnusableScanError, match=words):
        numbered(np.array(values, float), (1, 4), X)


def test_a_shared_grid_is_no_shift():
    inside = np.ones((4, 5, 6), bool)
    assert not explained_shift(inside, GRID, False, (4, 5, 6), GRID + 1e-4, X)


def test_another_grid_is_explained_by_its_affine():
    inside = np.ones((4, 4, 4), bool)
    moved = GRID.copy()
    moved[:3, 3] = 4
    assert explained_shift(inside, moved, True, (8, 8, 8), GRID, X)


def test_another_grid_without_explanation_is_refused():
    inside = np.ones((4, 4, 4), bool)
    far = GRID.copy()
    far[:3, 3] = 13
    with pytest.raises(UnusableScanError, match=r"98 % of the annotated voxels outside"):
        explained_shift(inside, far, True, (8, 8, 8), GRID, X)
    with pytest.raises(UnusableScanError, match="qform and sform code 0"):
        explained_shift(inside, GRID, False, (8, 8, 8), GRID, X)


def test_an_annotation_outside_of_the_brain_is_refused():
    brain = nib.Nifti1Image(brain_of().astype(np.uint8), GRID)
    inside = np.zeros(brain.shape, bool)
    inside[0:2, 10:14, 10:14] = True
    with pytest.raises(UnusableScanError, match=r"Only 0 % .* inside the brain"):
        check_in_brain(inside, GRID, brain, X)
    assert check_in_brain(ball((14, 16, 12), 12, spacing=(2, 2, 2)), GRID, brain, X) == 1


def test_classes_are_carried_to_another_grid(tmp_path):
    transform = tmp_path / "identity.mat"
    ants.write_transform(ants.create_ants_transform(dimension=3), str(transform))
    spacing = (2.0, 2.0, 2.0)
    ranks = ball((14, 16, 12), 16, spacing=spacing).astype(np.uint8)
    ranks += ball((14, 16, 12), 8, spacing=spacing)
    brain = nib.Nifti1Image(np.ones((60, 68, 52), np.uint8), np.diag([1.0, 1.0, 1.0, 1.0]))
    fine = carry_to_standard(ranks, GRID, transform, brain, X)
    assert np.unique(fine).tolist() == [0, 1, 2]
    for rank in (1, 2):
        assert (fine == rank).sum() == pytest.approx(8 * (ranks == rank).sum(), rel=0.2)
    assert (fine[::2, ::2, ::2] == ranks).mean() > 0.99
    empty = nib.Nifti1Image(np.zeros(brain.shape, np.uint8), brain.affine)
    with pytest.raises(UnusableScanError, match="Nothing is left"):
        carry_to_standard(ranks, GRID, transform, empty, X)


def test_files_that_are_no_annotation_are_named(tmp_path):
    with pytest.raises(UnusableScanError, match="no such file"):
        read_drawing(Drawing(tmp_path / "none.nii.gz"))
    series = tmp_path / "series.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((3, 3, 3, 2), np.uint8), np.eye(4)), series)
    with pytest.raises(UnusableScanError, match="should be 3-D"):
        read_drawing(Drawing(series))


# ---------------------------------------------------------------------- division


def people(**classes: set[int]) -> dict[str, Annotated]:
    return {key: Annotated(key[0], frozenset(own)) for key, own in classes.items()}


def test_three_scans_are_two_to_learn_from_and_one_held_out():
    scans = people(a={1}, b={1}, c={1})
    for seed in range(5):
        train, held = split_annotated(scans, seed)
        assert (len(train), len(held)) == (2, 1)
        assert sorted(train + held) == ["a", "b", "c"]


def test_persons_stay_on_one_side_and_every_class_is_learned():
    scans = people(a1={1, 2}, a2={1}, b={1}, c={1}, d={1})
    for seed in range(20):
        train, held = split_annotated(scans, seed)
        assert {"a1", "a2"} <= set(train)  # the only person with class 2
        assert held
    with pytest.raises(DataError, match="None of the 2 annotated persons can be held out"):
        split_annotated(people(a={1}, b={2}), 0)


@pytest.mark.parametrize(
    ("sizes", "fewest_held"),
    [({"a": 9, "b": 1}, 1), ({"a": 2, "b": 1}, 1), ({"a": 5, "b": 5}, 5), ({"a": 6, "b": 4}, 4)],
)
def test_no_more_is_held_out_than_learned_from(sizes, fewest_held):
    keys = [f"{person}{number}" for person, count in sizes.items() for number in range(count)]
    for seed in range(10):
        train, held = split_annotated(people(**{key: {1} for key in keys}), seed)
        assert len(held) == fewest_held
        assert sorted(train + held) == sorted(keys)
    last = keys[-1]  # who alone has a class teaches it
    alone = people(**{key: {1, 2} if key == last else {1} for key in keys})
    assert last in split_annotated(alone, 0)[0]


def test_rare_and_absent_classes_are_told():
    rare, absent = rare_classes(people(a={1, 2}, b={1}, c={1}), ("oedema", "core", "necrosis"))
    assert rare == ["Class 'core' is in 1 of 3 annotated scans; it is missing in b, c."]
    assert absent == ["necrosis"]


# ---------------------------------------------------------------------- carried with its scan


def preprocessed(folder: Path) -> Preprocessed:
    """A scan that lies on the template grid already."""
    brain = nib.Nifti1Image(brain_of().astype(np.uint8), GRID)
    image = nib.Nifti1Image(brain_of().astype(np.float32), GRID)
    transform = folder / "scan-to-standard.mat"
    ants.write_transform(ants.create_ants_transform(dimension=3), str(transform))
    return Preprocessed(image, brain, image, brain, transform, {}, (), "", "", True)


def test_an_annotation_is_carried_and_told(tmp_path, caplog):
    root = make(tmp_path / "data", "sub-1_FLAIR.nii.gz")
    scan = Scan(
        root / "sub-1/anat/sub-1_FLAIR.nii.gz", (("sub", "1"),), "FLAIR", Role.ANNOTATED, root
    )
    layout = Layout(tmp_path / "out", tmp_path / "work", 4.0)
    values = np.where(ball((14, 16, 12), 16, spacing=(2, 2, 2)), 4, 0).astype(np.uint8)
    values[14:, ...] = np.where(values[14:, ...], 1, 0)
    cropped = nib.Nifti1Image(values[3:, 2:], GRID @ nib.affines.from_matvec(np.eye(3), [3, 2, 0]))
    nib.save(cropped, tmp_path / "drawn.nii.gz")
    annotation = Annotation(tmp_path / "drawn.nii.gz", CLASSES)
    result = preprocessed(tmp_path)
    with caplog.at_level(logging.WARNING):
        image, table = carry(scan, annotation, result.native, result, layout)
    assert "lies on another grid than its scan" in caplog.text
    np.testing.assert_array_equal(np.asanyarray(nib.load(image).dataobj), values)
    assert table.read_text().startswith("index\tname\tcolor\n1\toedema\t#00ff00\n4\tcore\tn/a")
    ranks = load_class_numbers(scan, annotation, layout)
    assert {rank: (ranks == rank).sum() for rank in (1, 2)} == {
        1: (values == 1).sum(),
        2: (values == 4).sum(),
    }
    with pytest.raises(DataError, match="Run the preprocess step again"):
        load_class_numbers(scan, Annotation(annotation.path, CLASSES[:1]), layout)
