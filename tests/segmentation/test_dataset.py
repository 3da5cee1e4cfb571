from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import blosc2
import nibabel as nib
import numpy as np
import pytest
import torch

from synthtumour_bids.errors import DataError, UnavailableError, UsageError
from synthtumour_bids.profiles import PROFILES, Training
from synthtumour_bids.segmentation import environment
from synthtumour_bids.segmentation.cases import times_for_share
from synthtumour_bids.segmentation.dataset import Case, PreparedDataset, build_dataset
from synthtumour_bids.segmentation.plans import adapt_plans
from tests.builders.blob_cases import write_cases

TRAINING = replace(PROFILES["sloppy"].junior, patch_size=(16, 24, 16), features=(8, 16))


def build(cases: list[Case], folder: Path, training: Training = TRAINING) -> PreparedDataset:
    return build_dataset(
        cases, folder, dataset_id=501, name="junior", training=training, n_processes=1
    )


def stored(prepared: PreparedDataset, name: str) -> np.ndarray:
    folder = prepared.preprocessed / "nnUNetPlans_3d_fullres"
    return np.asarray(blosc2.open(str(folder / f"{name}.b2nd"), mode="r")[:])


def test_dataset_for_nnunet(tmp_path: Path) -> None:
    cases = write_cases(tmp_path / "cases", 3, 2, shape=(20, 28, 24))
    before = dict(os.environ)
    prepared = build(cases, tmp_path / "work")

    assert dict(os.environ) == before
    assert prepared.name == "Dataset501_junior"
    assert prepared.train == ("case000", "case001", "case002")
    assert prepared.validation == ("case003", "case004")
    split = json.loads((prepared.preprocessed / "splits_final.json").read_text())
    assert split == [{"train": list(prepared.train), "val": list(prepared.validation)}]

    plan = prepared.plans()["configurations"]["3d_fullres"]
    assert plan["patch_size"] == [16, 24, 16]
    assert plan["batch_size"] == 2
    assert plan["spacing"] == [4.0, 4.0, 4.0]
    assert plan["normalization_schemes"] == ["ZScoreNormalization"]
    assert plan["use_mask_for_norm"] == [True]
    assert plan["architecture"]["arch_kwargs"]["features_per_stage"] == [8, 16]

    # Brain voxels are z-scored among themselves, in nnU-Net's (Z, Y, X) order; the rest stays 0.
    image = np.asarray(nib.load(cases[0].image).dataobj)
    brain = image != 0
    bounds = tuple(slice(w.min(), w.max() + 1) for w in np.nonzero(brain))
    expected = np.where(brain, (image - image[brain].mean()) / image[brain].std(), 0)[bounds]
    np.testing.assert_allclose(stored(prepared, "case000")[0].T, expected, atol=1e-4)


def test_a_second_call_keeps_what_is_done(tmp_path: Path) -> None:
    cases = write_cases(tmp_path / "cases", 2, 1, shape=(20, 28, 24))
    prepared = build(cases, tmp_path / "work")
    folder = prepared.preprocessed / "nnUNetPlans_3d_fullres"
    made = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert build(cases, tmp_path / "work") == prepared
    # Interrupted: one case is not whole, and the dataset was never declared done.
    (folder / "case001.pkl").unlink()
    (prepared.preprocessed / "recipe.txt").unlink()
    assert build(cases, tmp_path / "work") == prepared
    now = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert now.keys() == made.keys()
    assert {p.name for p in made if made[p] != now[p]} == {
        "case001.b2nd",
        "case001_seg.b2nd",
        "case001.pkl",
    }


def test_a_case_of_other_files_is_stored_anew_though_these_are_older(tmp_path: Path) -> None:
    cases = write_cases(tmp_path / "cases", 2, 1, shape=(20, 28, 24))
    folder = tmp_path / "work" / "nnUNet_preprocessed" / "Dataset501_junior"
    label = nib.load(cases[0].label)
    empty = cases[0].label.with_name("empty.nii")
    nib.save(nib.Nifti1Image(np.zeros(label.shape, np.uint8), label.affine), empty)

    def marked() -> bool:
        path = folder / "nnUNetPlans_3d_fullres" / f"{cases[0].name}_seg.b2nd"
        return bool((np.asarray(blosc2.open(str(path), mode="r")[:]) == 1).any())

    for chosen, wanted in ((cases[0].label, True), (empty, False), (cases[0].label, True)):
        build([replace(cases[0], label=chosen), *cases[1:]], tmp_path / "work")
        assert marked() is wanted


def test_a_case_can_be_drawn_more_often_than_others(tmp_path: Path) -> None:
    first, *others = write_cases(tmp_path / "cases", 2, 1, shape=(20, 28, 24))
    prepared = build([replace(first, times=3), *others], tmp_path / "work")
    split = json.loads((prepared.preprocessed / "splits_final.json").read_text())
    assert split[0]["train"] == ["case000"] * 3 + ["case001"]
    assert prepared.train == ("case000", "case001")
    assert build([first, *others], tmp_path / "work").recipe != prepared.recipe


@pytest.mark.parametrize(
    ("real", "made", "share", "times"),
    [(100, 200, 0.5, 1), (14, 300, 0.5, 11), (500, 9, 1.0, 1), (0, 9, 1.0, 1), (3, 250, 1.0, 83)],
)
def test_few_real_scans_are_not_lost_among_synthetic_ones(
    real: int, made: int, share: float, times: int
) -> None:
    assert times_for_share(real, made, share) == times


def test_changed_cases_are_made_again(tmp_path: Path) -> None:
    cases = write_cases(tmp_path / "cases", 2, 2, shape=(20, 28, 24))
    first = build(cases, tmp_path / "work")
    image = nib.load(cases[0].image)
    brighter = np.asarray(image.dataobj) ** 2
    nib.save(nib.Nifti1Image(brighter, image.affine), cases[0].image)
    before = stored(first, "case000")
    second = build(cases[:3], tmp_path / "work")
    assert second.recipe != first.recipe
    assert second.validation == ("case002",)
    assert not np.allclose(stored(second, "case000"), before)
    assert not list(second.preprocessed.glob("*/case003*"))


@pytest.mark.parametrize(("n_train", "n_validation"), [(2, 0), (0, 2)])
def test_both_sets_are_needed(tmp_path: Path, n_train: int, n_validation: int) -> None:
    cases = write_cases(tmp_path, n_train, n_validation, shape=(20, 28, 24))
    with pytest.raises(DataError, match=f"there are {n_train} and {n_validation}"):
        build(cases, tmp_path / "work")


def test_one_grid_is_needed(tmp_path: Path) -> None:
    cases = write_cases(tmp_path, 1, 1, shape=(20, 28, 24))
    odd = write_cases(tmp_path / "odd", 1, 0, shape=(20, 28, 26))[0]
    with pytest.raises(DataError, match="one grid"):
        build([*cases, replace(odd, name="odd")], tmp_path / "work")


def test_labels_are_0_and_1(tmp_path: Path) -> None:
    cases = write_cases(tmp_path, 1, 1, shape=(20, 28, 24))
    label = nib.load(cases[0].label)
    nib.save(nib.Nifti1Image(np.asarray(label.dataobj) * 255, label.affine), cases[0].label)
    with pytest.raises(DataError, match="should hold 0 and 1"):
        build(cases, tmp_path / "work")


def test_nnunet_plans_where_the_settings_leave_it_to(tmp_path: Path) -> None:
    cases = write_cases(tmp_path / "cases", 1, 1, shape=(40, 48, 40))
    training = Training(epochs=1, iterations_per_epoch=1, patience=1, min_epochs=1)
    prepared = build(cases, tmp_path / "work", training)
    planned = prepared.plans()["configurations"]["3d_fullres"]
    assert planned["architecture"]["arch_kwargs"]["features_per_stage"][0] == 32
    assert planned["use_mask_for_norm"] == [True]


def plans() -> dict:
    return {
        "configurations": {
            "2d": {},
            "3d_fullres": {
                "batch_size": 2,
                "patch_size": [80, 96, 80],
                "architecture": {"arch_kwargs": {}},
                "next_stage": "x",
            },
        }
    }


def test_stages_follow_the_patch() -> None:
    adapted = adapt_plans(plans(), PROFILES["fast"].junior)
    assert list(adapted["configurations"]) == ["3d_fullres"]
    configuration = adapted["configurations"]["3d_fullres"]
    x, y, z = PROFILES["fast"].junior.patch_size
    assert configuration["patch_size"] == [z, y, x]
    kwargs = configuration["architecture"]["arch_kwargs"]
    n = len(PROFILES["fast"].junior.features)
    assert kwargs["n_stages"] == len(kwargs["strides"]) == len(kwargs["n_conv_per_stage"]) == n
    assert len(kwargs["n_conv_per_stage_decoder"]) == n - 1
    total = np.prod(kwargs["strides"], axis=0)
    assert (np.array([z, y, x]) % total == 0).all()
    assert (np.array([z, y, x]) // total >= 4).all()


def test_a_short_axis_is_halved_less_often() -> None:
    training = replace(TRAINING, patch_size=(16, 32, 8), features=(8, 16, 32))
    kwargs = adapt_plans(plans(), training)["configurations"]["3d_fullres"]["architecture"]
    assert kwargs["arch_kwargs"]["strides"] == [[1, 1, 1], [2, 2, 2], [1, 2, 2]]


def test_a_patch_too_small_for_the_stages_is_refused() -> None:
    with pytest.raises(UsageError, match="16 x 24 x 16 voxels can be halved only 2 times"):
        adapt_plans(plans(), replace(TRAINING, features=(8, 16, 32, 64)))


@pytest.mark.parametrize("word", ["gpu", "cuda:", "cuda:x", "cuda-1"])
def test_no_device(word: str) -> None:
    with pytest.raises(UsageError, match="none of auto"):
        environment.resolve_device(word)


def test_devices() -> None:
    assert environment.resolve_device("cpu") == torch.device("cpu")
    assert environment.resolve_device("auto").type in {"cpu", "cuda", "mps"}
    with pytest.raises(UnavailableError, match="--device cuda:99 was asked for"):
        environment.resolve_device("cuda:99")


def test_prints_go_to_the_log(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with (
        caplog.at_level("DEBUG", logger="synthtumour_bids"),
        environment.nnunet_environment(tmp_path, n_processes=0),
    ):
        print("hello from nnU-Net\n")
        inside = dict(os.environ)
    assert inside["nnUNet_raw"] == str(tmp_path / "nnUNet_raw")
    assert inside["nnUNet_n_proc_DA"] == "1"
    assert caplog.messages == ["nnU-Net: hello from nnU-Net"]


def test_few_workers_where_shared_memory_is_small() -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert environment.loader_workers(1, cpu, 1000) == 0
    assert environment.loader_workers(8, cpu, 1000) == 1
    assert environment.loader_workers(8, cuda, 1000) == 7
    assert environment.loader_workers(8, cuda, 10**15) == 0


def test_the_trainer_is_found_by_nnunet(tmp_path: Path) -> None:
    from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

    with environment.nnunet_environment(tmp_path):
        found = recursive_find_trainer_class_by_name("SynthTumourTrainer")
    assert found.__name__ == "SynthTumourTrainer"
