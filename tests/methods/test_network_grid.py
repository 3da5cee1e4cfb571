"""A network sees scans on its own grid, whatever that of the run."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.errors import UnusableScanError
from synthtumour_bids.methods.network_grid import NetworkGrid, sampled
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.volumes import load_volume


def store(path: Path, values: np.ndarray, resolution: float) -> Path:
    nib.save(nib.Nifti1Image(values, standard_brain(resolution).affine), path)
    return path


def test_voxels_of_a_finer_run_are_taken_where_they_coincide(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random(standard_brain(4.0).shape, dtype=np.float32)
    volume = load_volume(store(tmp_path / "fine.nii", values, 4.0))
    assert np.array_equal(sampled(volume, standard_brain(8.0)), values[::2, ::2, ::2])


@pytest.mark.parametrize(("own", "of_run"), [(8.0, 4.0), (4.0, 8.0)])
def test_a_ball_stays_where_it_was(own: float, of_run: float, tmp_path: Path) -> None:
    standard = standard_brain(of_run)
    world = np.stack(np.indices(standard.shape), -1) * of_run + standard.affine[:3, 3]
    ball = (np.linalg.norm(world - (20, -10, 15), axis=-1) < 35).astype(np.float32)
    image = store(tmp_path / "image.nii", ball, of_run)
    brain = store(tmp_path / "brain.nii", (world[..., 0] > 0).astype(np.uint8), of_run)
    grid = NetworkGrid(own, of_run, tmp_path / "images")
    (seen,) = grid.images([image], "raw__sub-01_FLAIR")
    assert load_volume(seen).data.shape == standard_brain(own).shape
    path = tmp_path / "probability.nii"
    nib.save(nib.load(seen), path)
    grid.carry_back(path, brain)
    found = load_volume(path).data
    assert found.shape == ball.shape
    assert not found[world[..., 0] <= 0].any()
    inside = world[..., 0] > 0
    overlap = 2 * ((found > 0.5) & (ball > 0) & inside).sum()
    assert overlap / ((found > 0.5).sum() + (ball[inside] > 0).sum()) > 0.85


def test_scans_of_one_name_in_two_datasets_are_carried_beside_each_other(tmp_path: Path) -> None:
    grid = NetworkGrid(8.0, 4.0, tmp_path / "images")
    carried = []
    for value, slug in enumerate(("raw__sub-01_FLAIR", "tumourfree__sub-01_FLAIR"), 1):
        values = np.full(standard_brain(4.0).shape, value, np.float32)
        (tmp_path / slug).mkdir()
        carried += grid.images([store(tmp_path / slug / "image.nii", values, 4.0)], slug)
    assert [load_volume(path).data.max() for path in carried] == [1, 2]
    assert grid.to_json() != NetworkGrid(4.0, 4.0, tmp_path).to_json() == {}


def test_on_the_same_grid_nothing_is_written_and_a_broken_image_is_left_to_the_prediction(
    tmp_path: Path,
) -> None:
    broken = store(tmp_path / "broken.nii", np.ones(standard_brain(4.0).shape, np.float32), 4.0)
    broken.write_bytes(broken.read_bytes()[:2000])
    for run in (2.0, 4.0):
        assert NetworkGrid(2.0, run, tmp_path / "images").images([broken], "a") == (broken,)
    assert not (tmp_path / "images").exists()
    probability = store(
        tmp_path / "probability.nii", np.ones(standard_brain(2.0).shape, np.float32), 2.0
    )
    with pytest.raises(UnusableScanError, match=r"The brain mask .* cannot be read"):
        NetworkGrid(2.0, 4.0, tmp_path / "images").carry_back(probability, broken)
