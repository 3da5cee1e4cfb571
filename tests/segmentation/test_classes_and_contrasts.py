"""Networks that see several contrasts and tell several tumour classes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from synthtumour_bids.errors import DataError, UnusableScanError
from synthtumour_bids.profiles import Training
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.segmentation.class_maps import labelled, strongest
from synthtumour_bids.segmentation.dataset import build_dataset
from synthtumour_bids.segmentation.prediction import classes_path, predict
from synthtumour_bids.segmentation.training import train
from tests.builders.blob_cases import write_cases

TRAINING = Training(
    epochs=1,
    iterations_per_epoch=2,
    patience=1,
    min_epochs=1,
    batch_size=2,
    patch_size=(16, 16, 16),
    features=(4, 8),
    optimiser="adamw",
    learning_rate=1e-3,
)
CLASSES = ("1-oedema", "4-core")


def with_contrast_and_core(case: Case) -> Case:
    """Add an inverted image, and a second class inside the first."""
    image, label = nib.load(case.image), nib.load(case.label)
    data, inside = np.asanyarray(image.dataobj), np.asanyarray(label.dataobj)
    other = case.image.with_name(f"{case.name}_other.nii.gz")
    nib.save(
        nib.Nifti1Image(np.where(data != 0, 500 - data, 0).astype(np.float32), image.affine), other
    )
    core = ndimage.binary_erosion(inside, iterations=2)
    nib.save(nib.Nifti1Image((inside + core).astype(np.uint8), label.affine), case.label)
    return replace(case, more=(other,))


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> list[Case]:
    return [
        with_contrast_and_core(case)
        for case in write_cases(tmp_path_factory.mktemp("cases"), 3, 2, shape=(32, 36, 32))
    ]


@pytest.fixture(scope="module")
def model(cases, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    prepared = build_dataset(
        *(cases, folder / "data"),
        dataset_id=501,
        name="two",
        training=TRAINING,
        n_processes=1,
        classes=CLASSES,
    )
    train(prepared, folder / "model", training=TRAINING, device="cpu", seed=1, nprocs=1)
    return folder / "model"


def test_a_model_tells_its_contrasts_and_classes(model):
    described = json.loads((model / "dataset.json").read_text())
    assert described["labels"] == {"background": 0, "1-oedema": 1, "4-core": 2}
    assert len(described["channel_names"]) == 2
    plans = json.loads((model / "plans.json").read_text())
    (configuration,) = plans["configurations"].values()
    assert configuration["normalization_schemes"] == ["ZScoreNormalization"] * 2
    assert configuration["use_mask_for_norm"] == [True] * 2


def test_classes_are_shares_of_the_whole_tumour(model, cases, tmp_path):
    options = {"device": "cpu", "mirroring": True, "nprocs": 1}
    done = predict(model, {"scan": cases[0].images}, tmp_path, **options)
    whole = np.asanyarray(nib.load(done["scan"]).dataobj)
    classes = np.asanyarray(nib.load(classes_path(done["scan"])).dataobj)
    assert classes.shape == (*whole.shape, 2)
    np.testing.assert_allclose(classes.sum(axis=-1), whole, atol=1e-6)
    outside = np.asanyarray(nib.load(cases[0].image).dataobj) == 0
    assert not whole[outside].any()
    mask = whole > np.median(whole[~outside])
    ranks = labelled(mask, done["scan"])
    np.testing.assert_array_equal(ranks > 0, mask)
    np.testing.assert_array_equal(ranks, strongest(classes, mask))
    with pytest.raises(UnusableScanError, match=r"trained on 2 contrast\(s\) .* 1 are there"):
        predict(model, {"scan": cases[0].image}, tmp_path, **options)


def test_without_class_maps_all_is_one_class(tmp_path):
    mask = np.array([[[True, False]]])
    assert labelled(mask, tmp_path / "scan.nii.gz").tolist() == [[[1, 0]]]


def test_cases_with_other_contrasts_or_classes_are_refused(cases, tmp_path):
    options = {"dataset_id": 502, "name": "odd", "training": TRAINING, "n_processes": 1}
    odd = [*cases[:-1], replace(cases[-1], more=())]
    with pytest.raises(DataError, match="must have the same contrasts"):
        build_dataset(odd, tmp_path, **options, classes=CLASSES)
    with pytest.raises(DataError, match="should hold 0 and 1"):
        build_dataset(cases, tmp_path, **options)


def test_cases_survive_json(cases):
    assert [Case.from_json(json.loads(json.dumps(case.to_json()))) for case in cases] == cases
