"""People without a tumour as a norm of brightness, and where it is stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.segmentation.norm import FEWEST_PEOPLE, Norm
from synthtumour_bids.segmentation.norm_file import ABOUT, NORM, find_norm, write_norm
from synthtumour_bids.segmentation.other_side_rules import OtherSide

SHAPE = (12, 10, 8)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
BRAIN = np.ones(SHAPE, bool)
RULES = OtherSide()


def people(count: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [(rng.normal(0, 1, SHAPE).astype(np.float32), BRAIN) for _ in range(count)]


def norm_of(count: int, seed: int = 0) -> Norm:
    norm = Norm.of(people(count, seed), AFFINE)
    assert norm is not None
    assert norm.people == count
    return norm


def test_few_people_are_no_norm() -> None:
    assert Norm.of(people(FEWEST_PEOPLE - 1), AFFINE) is None
    assert Norm.of([], AFFINE) is None


@given(seed=st.integers(0, 100))
def test_with_more_people_less_is_beyond_the_norm(seed: int) -> None:
    fewer, more = norm_of(FEWEST_PEOPLE, seed), norm_of(FEWEST_PEOPLE + 3, seed)
    scan = np.random.default_rng(seed + 1).normal(2, 1, SHAPE)
    part = np.zeros(SHAPE, bool)
    part[3:8, 2:7, 2:6] = True
    assert more.share_beyond(scan, part, AFFINE) <= fewer.share_beyond(scan, part, AFFINE)


def test_what_one_has_near_a_place_or_its_mirror_is_normal_there() -> None:
    dark = np.zeros(SHAPE, np.float32)
    bright = dark.copy()
    bright[2, 5, 4] = 3
    norm = Norm.of([*[(dark, BRAIN)] * FEWEST_PEOPLE, (bright, BRAIN)], AFFINE)
    assert norm is not None
    part = np.zeros(SHAPE, bool)
    for place, beyond in (((2, 5, 4), 0), ((4, 5, 4), 0), ((9, 5, 4), 0), ((5, 5, 4), 1)):
        part[:] = False
        part[place] = True
        assert norm.share_beyond(np.full(SHAPE, 2.5), part, AFFINE) == beyond
    assert norm.share_beyond(dark, np.zeros(SHAPE, bool), AFFINE) == 1
    assert norm.share_beyond(np.full(SHAPE, -9.0), BRAIN, AFFINE) == 0


def test_where_nobody_has_brain_everything_is_beyond() -> None:
    nowhere = np.zeros(SHAPE, bool)
    norm = Norm.of([(np.zeros(SHAPE), nowhere)] * FEWEST_PEOPLE, AFFINE)
    assert norm is not None
    assert norm.share_beyond(np.full(SHAPE, -9.0), BRAIN, AFFINE) == 1
    small = np.ones((2, 2, 2), bool)
    away = AFFINE.copy()
    away[:3, 3] = 500
    assert norm_of(12).share_beyond(np.full((2, 2, 2), -9.0), small, away) == 1


def test_a_scan_of_a_finer_grid_is_compared_with_the_nearest_voxels() -> None:
    norm = norm_of(FEWEST_PEOPLE)
    fine = AFFINE @ np.diag([0.5, 0.5, 0.5, 1])
    fine[:3, 3] = -0.5  # two fine voxels along each axis in each of the norm
    part = np.zeros(SHAPE, bool)
    part[3:8, 2:7, 2:6] = True
    scan = np.random.default_rng(1).normal(2, 1, SHAPE)

    def finer(values: np.ndarray) -> np.ndarray:
        return values.repeat(2, 0).repeat(2, 1).repeat(2, 2)

    share = norm.share_beyond(scan, part, AFFINE)
    assert 0 < share < 1
    assert norm.share_beyond(finer(scan), finer(part), fine) == pytest.approx(share)


def test_a_norm_is_stored_whole(tmp_path: Path) -> None:
    norm = norm_of(FEWEST_PEOPLE)
    norm.highest[:2] = -np.inf
    assert find_norm(tmp_path, RULES) is None
    write_norm(tmp_path, norm, RULES)
    stored = find_norm(tmp_path, RULES)
    assert stored is not None
    known = stored.load()
    assert known.people == stored.people == FEWEST_PEOPLE
    np.testing.assert_array_equal(known.highest, norm.highest)
    np.testing.assert_array_equal(known.affine, AFFINE)
    assert find_norm(tmp_path, None) is None
    assert find_norm(tmp_path, OtherSide(sign=-1)) is None, "dark lesions are another matter"
    assert find_norm(tmp_path, OtherSide(smoothing_mm=2)) is None


def test_the_same_people_give_the_same_files(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_norm(tmp_path / folder, norm_of(FEWEST_PEOPLE), RULES)
    for name in (NORM, ABOUT):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def _other_voxels(folder: Path) -> None:
    image = nib.load(folder / NORM)
    nib.save(nib.Nifti1Image(np.zeros(image.shape, np.float32), image.affine), folder / NORM)


def _few_people(folder: Path) -> None:
    about = json.loads((folder / ABOUT).read_text())
    about["Persons"] = 3
    (folder / ABOUT).write_text(json.dumps(about))


@pytest.mark.parametrize(
    "spoil",
    [
        _other_voxels,
        _few_people,
        lambda folder: (folder / NORM).write_bytes((folder / NORM).read_bytes()[:1000]),
        lambda folder: (folder / NORM).unlink(),
        lambda folder: (folder / ABOUT).write_text("[]"),
    ],
)
def test_a_norm_that_cannot_be_used_is_told_of(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    write_norm(tmp_path, norm_of(FEWEST_PEOPLE), RULES)
    spoil(tmp_path)
    with pytest.raises(UnavailableError, match=r"norm\.nii.*remove both"):
        _load(tmp_path)


def _load(folder: Path) -> None:
    stored = find_norm(folder, RULES)
    assert stored is not None
    stored.load()
