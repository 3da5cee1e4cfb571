from __future__ import annotations

import gzip
import shutil
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from scipy import ndimage

from synthtumour_bids.errors import UnavailableError, UnusableScanError
from synthtumour_bids.segmentation.class_maps import classes_path
from synthtumour_bids.segmentation.dataset import build_dataset
from synthtumour_bids.segmentation.metrics import evaluate
from synthtumour_bids.segmentation.network import Network, check_answer
from synthtumour_bids.segmentation.plans import CONFIGURATION
from synthtumour_bids.segmentation.prediction import iter_predict, predict
from synthtumour_bids.segmentation.trained_network import read_network
from synthtumour_bids.segmentation.training import train
from tests.builders.blob_cases import blob_brain, write_cases
from tests.builders.networks import SHAPE, TRAINING, VOXEL

ALONE = {"device": "cpu", "mirroring": False}
OPTIONS = {**ALONE, "nprocs": 1}


def write_image(path: Path, data: np.ndarray) -> Path:
    affine = np.diag([VOXEL, VOXEL, VOXEL, 1.0])
    affine[:3, 3] = -40, -60, -50
    image = nib.Nifti1Image(data, affine)
    image.set_qform(affine, 4)
    image.set_sform(affine, 4)
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, path)
    return path


def damage(path: Path) -> Path:
    """Write over what follows the beginning of a compressed file, as a bad disk does."""
    beginning = gzip.decompress(path.read_bytes())[:5000]
    stream = zlib.compressobj(wbits=31)
    whole = stream.compress(beginning) + stream.flush(zlib.Z_FULL_FLUSH)
    path.write_bytes(whole + b"\xff" * 99)
    with pytest.raises(zlib.error):
        nib.load(path).get_fdata()
    return path


def test_probability_on_the_grid_of_the_image(model: Path, tmp_path: Path) -> None:
    data, label = blob_brain(77, SHAPE)
    image = write_image(tmp_path / "in.nii.gz", data)
    done = predict(model, {"scan": image}, tmp_path / "out", **OPTIONS)
    assert done == {"scan": tmp_path / "out" / "scan.nii.gz"}
    result, source = nib.load(done["scan"]), nib.load(image)
    assert result.get_data_dtype() == np.float32
    assert result.shape == SHAPE
    np.testing.assert_array_equal(result.affine, source.affine)
    assert int(result.header["qform_code"]) == int(result.header["sform_code"]) == 4
    assert result.header.get_xyzt_units() == ("mm", "sec")
    probability = np.asarray(result.dataobj)
    assert 0 <= probability.min() < 0.1
    assert 0.9 < probability.max() <= 1
    brain = ndimage.binary_fill_holes(data != 0)
    assert not probability[~brain].any()
    # Axes are not mixed up: the blob is where it was put.
    assert evaluate(probability > 0.5, label > 0, (VOXEL,) * 3).dice > 0.7
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["scan.nii.gz"]


def test_a_small_brain_in_a_large_grid(model: Path, tmp_path: Path) -> None:
    # The nonzero crop (10 x 12 x 10) is smaller than the patch along every axis.
    data = np.zeros(SHAPE, np.float32)
    data[12:22, 3:15, 9:19] = 100 + np.random.default_rng(0).normal(0, 10, (10, 12, 10))
    data[14:18, 6:10, 12:16] *= 2
    image = write_image(tmp_path / "in.nii.gz", data)
    probability = np.asarray(
        nib.load(predict(model, {"s": image}, tmp_path, **OPTIONS)["s"]).dataobj
    )
    assert probability.shape == SHAPE
    assert not probability[data == 0].any()
    inside = np.zeros(SHAPE, bool)
    inside[14:18, 6:10, 12:16] = True
    assert probability[inside].mean() > probability[(data != 0) & ~inside].mean()


def test_what_is_seen_at_once_is_what_nnunet_s_predictor_gives(model: Path) -> None:
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    network = Network(model, device="cpu", mirroring=True)
    data = torch.from_numpy(blob_brain(78, SHAPE)[0].transpose(2, 1, 0)[None].copy())
    window = network.whole_window(tuple(data.shape[1:]))
    manager = PlansManager(network.plan.to_plans())
    configuration = manager.get_configuration(CONFIGURATION)
    configuration.configuration["patch_size"] = window
    predictor = nnUNetPredictor(use_gaussian=False, device=torch.device("cpu"), allow_tqdm=False)
    described = network.plan.to_description()
    axes = read_network(model).mirror_axes
    assert axes
    predictor.manual_initialization(
        network.bare, manager, configuration, None, described, "nnUNetTrainer", axes
    )
    with torch.inference_mode():
        seen = network.slide(data, window)
        assert torch.equal(seen, predictor.predict_sliding_window_return_logits(data))
        assert not torch.equal(seen, Network(model, **ALONE).slide(data, window)), "mirrored"


def test_the_whole_brain_is_seen_at_once(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The predictor that slides windows loads torch's compiler, for seconds.
    monkeypatch.setitem(sys.modules, "nnunetv2.inference.predict_from_raw_data", None)
    data, _ = blob_brain(77, SHAPE)
    network = Network(model, device="cpu", mirroring=False)
    found = network.probabilities(data[None], (VOXEL,) * 3)[0]

    brain = data != 0
    box = ndimage.find_objects(brain.astype(int))[0]
    normal = np.where(brain, (data - data[brain].mean()) / data[brain].std(), 0)[box]
    # The crop is larger than the patch, and padded to what two halvings need.
    assert any(a > b for a, b in zip(normal.shape, TRAINING.patch_size, strict=True))
    room = [(-size) % 4 for size in normal.shape]
    padded = np.pad(normal, [(r // 2, r - r // 2) for r in room]).astype(np.float32)
    with torch.inference_mode():
        logits = network.bare(torch.from_numpy(padded.transpose(2, 1, 0).copy())[None, None])
    expected = torch.softmax(logits, 1)[0, 1].numpy().transpose(2, 1, 0)
    inner = tuple(slice(r // 2, r // 2 + s) for r, s in zip(room, normal.shape, strict=True))
    np.testing.assert_allclose(found[box], np.where(brain[box], expected[inner], 0), atol=0.01)


@pytest.mark.parametrize("when", ["asked", "told by the device"])
def test_windows_where_memory_is_too_small(
    when: str, model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    data, label = blob_brain(77, SHAPE)
    network = Network(model, device="cpu", mirroring=False)
    slide, seen, trained = network.slide, [], list(TRAINING.patch_size[::-1])

    def small(images: torch.Tensor, window: list[int]) -> torch.Tensor:
        seen.append(window)
        if window != trained:
            raise torch.OutOfMemoryError
        return slide(images, window)

    monkeypatch.setattr(network, "slide", small)
    if when == "asked":
        monkeypatch.setattr("synthtumour_bids.segmentation.network.memory_limit_gb", lambda: 0.001)
    found = network.probabilities(data[None], (VOXEL,) * 3)[0]
    assert seen.count(trained) == 1
    assert len(seen) == (1 if when == "asked" else 2)
    assert "cannot hold the whole brain" in caplog.text
    assert evaluate(found > 0.5, label > 0, (VOXEL,) * 3).dice > 0.7


def test_mirroring_makes_the_prediction_symmetric(model: Path, tmp_path: Path) -> None:
    data, _ = blob_brain(78, SHAPE)
    images = {
        "as-is": write_image(tmp_path / "a.nii.gz", data),
        "flipped": write_image(tmp_path / "b.nii.gz", data[::-1]),
    }
    done = predict(model, images, tmp_path / "out", **(OPTIONS | {"mirroring": True}))
    as_is, flipped = (np.asarray(nib.load(done[name]).dataobj) for name in images)
    np.testing.assert_allclose(as_is[::-1], flipped, atol=0.02)
    plain = predict(model, images, tmp_path / "plain", **OPTIONS)
    assert not np.array_equal(np.asarray(nib.load(plain["as-is"]).dataobj), as_is)


def test_one_bad_scan_fails_alone(model: Path, tmp_path: Path) -> None:
    good, _ = blob_brain(79, SHAPE)
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(b"not an image")
    nan = good.copy()
    nan[5, 5, 5] = np.nan
    images = {
        "broken": broken,
        "missing": tmp_path / "missing.nii.gz",
        "damaged": damage(write_image(tmp_path / "damaged.nii.gz", good)),
        "empty": write_image(tmp_path / "empty.nii.gz", np.zeros(SHAPE, np.float32)),
        "nan": write_image(tmp_path / "nan.nii.gz", nan),
        "flat": write_image(tmp_path / "flat.nii.gz", good[..., 0]),
        "good": write_image(tmp_path / "good.nii.gz", good),
    }
    stale = classes_path(tmp_path / "out" / "good.nii.gz")  # of a network of several classes
    stale.parent.mkdir()
    stale.write_bytes(b"other maps")
    made = {one.name: one for one in iter_predict(model, images, tmp_path / "out", **OPTIONS)}
    assert list(made) == list(images)
    assert made["good"].path is not None
    for name in ("broken", "missing", "damaged", "empty", "nan", "flat"):
        assert made[name].path is None
        assert isinstance(made[name].error, UnusableScanError)
        assert str(images[name]) in str(made[name].error)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["good.nii.gz"]
    with pytest.raises(UnusableScanError, match="broken"):
        predict(model, images, tmp_path / "out", **OPTIONS)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (torch.zeros(2, 3, 4, 5), "the same everywhere"),
        (torch.tensor([5.0, -5.0]).view(2, 1, 1, 1).expand(2, 3, 4, 5), "the same everywhere"),
        (torch.full((2, 3, 4, 5), torch.nan), "other things than numbers"),
    ],
)
def test_what_is_no_answer_fails_the_scan(answer: torch.Tensor, sentence: str) -> None:
    with pytest.raises(UnusableScanError, match=f"{sentence}.*--retrain.*--model"):
        check_answer(answer)


def test_an_answer_is_taken() -> None:
    check_answer(torch.linspace(-4, 4, 120).view(2, 3, 4, 5))


def test_models_that_are_not_there(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="is not there"):
        predict(tmp_path / "none", {}, tmp_path / "out", **OPTIONS)
    damaged = tmp_path / "damaged"
    shutil.copytree(model, damaged)
    checkpoint = damaged / "fold_0" / "checkpoint_best.pth"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(UnavailableError, match=r"cannot be used.*cannot be loaded"):
        predict(damaged, {}, tmp_path / "out", **OPTIONS)


def test_the_device_is_checked(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="cuda:77"):
        predict(model, {}, tmp_path / "out", **(OPTIONS | {"device": "cuda:77"}))


def test_networks_of_two_stages(tmp_path: Path) -> None:
    # Networks of two stages have no coarser output that could be supervised.
    two = replace(TRAINING, features=(4, 8), epochs=1, iterations_per_epoch=1)
    cases = write_cases(tmp_path / "cases", 1, 1, shape=SHAPE, voxel=VOXEL)
    prepared = build_dataset(
        cases, tmp_path / "work", dataset_id=504, name="two", training=two, n_processes=1
    )
    curve = train(prepared, tmp_path / "model", training=two, device="cpu", seed=1, nprocs=1)
    assert np.isfinite(curve.train_loss).all()
