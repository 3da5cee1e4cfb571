"""People without a tumour as a norm of brightness, and where it is stored."""

from __future__ import annotations

import json
import struct
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
from synthtumour_bids.volumes import Volume

SHAPE = (12, 10, 8)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
BRAIN = np.ones(SHAPE, bool)
RULES = OtherSide()


def volume(values: np.ndarray) -> Volume:
    return Volume(values.astype(np.float32), AFFINE, (2.0, 2.0, 2.0))


def people(count: int, seed: int = 0) -> list[tuple[Volume, np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [(volume(rng.normal(0, 1, SHAPE)), BRAIN) for _ in range(count)]


def norm_of(count: int, seed: int = 0) -> Norm:
    norm = Norm.of(people(count, seed))
    assert norm is not None
    assert norm.people == count
    return norm


def test_few_people_are_no_norm() -> None:
    assert Norm.of(people(FEWEST_PEOPLE - 1)) is None
    assert Norm.of([]) is None


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
    norm = Norm.of([*[(volume(dark), BRAIN)] * FEWEST_PEOPLE, (volume(bright), BRAIN)])
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
    norm = Norm.of([(volume(np.zeros(SHAPE)), nowhere)] * FEWEST_PEOPLE)
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
    assert find_norm(tmp_path, RULES, "senior") is None
    write_norm(tmp_path, norm, RULES, "senior")
    stored = find_norm(tmp_path, RULES, "senior")
    assert stored is not None
    known = stored.load()
    assert known.people == stored.people == FEWEST_PEOPLE
    np.testing.assert_array_equal(known.highest, norm.highest)
    np.testing.assert_array_equal(known.affine, AFFINE)
    assert find_norm(tmp_path, None, "senior") is None
    assert find_norm(tmp_path, RULES, "another") is None, "whom others taught"
    assert find_norm(tmp_path, OtherSide(sign=-1), "senior") is None, "dark lesions differ"
    assert find_norm(tmp_path, OtherSide(smoothing_mm=2), "senior") is None


def test_the_same_people_give_the_same_files(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_norm(tmp_path / folder, norm_of(FEWEST_PEOPLE), RULES, "senior")
    for name in (NORM, ABOUT):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def _rewrite(folder: Path, values: np.ndarray, affine: np.ndarray) -> None:
    nib.save(nib.Nifti1Image(values, affine), folder / NORM)


def _few_people(folder: Path) -> None:
    about = json.loads((folder / ABOUT).read_text())
    about["Persons"] = 3
    (folder / ABOUT).write_text(json.dumps(about))


def _with_bytes(place: int, kind: str, *values: float) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        content = bytearray((folder / NORM).read_bytes())
        struct.pack_into(f"<{len(values)}{kind}", content, place, *values)
        (folder / NORM).write_bytes(content)

    return spoil


def _cut_to(length: int) -> Callable[[Path], None]:
    return lambda folder: (folder / NORM).write_bytes((folder / NORM).read_bytes()[:length])


SPOILS: dict[str, Callable[[Path], None]] = {
    "other voxels": lambda folder: _rewrite(folder, np.zeros(SHAPE, np.float32), AFFINE),
    "other affine": lambda folder: _rewrite(folder, norm_of(FEWEST_PEOPLE).highest, AFFINE * 2),
    "complex": lambda folder: _rewrite(folder, np.zeros(SHAPE, np.complex64), AFFINE),
    "few people": _few_people,
    "empty": _cut_to(0),
    "no header": _cut_to(100),
    "cut": _cut_to(1000),
    "huge": _with_bytes(40, "h", 3, 32767, 32767, 32767),
    "type": _with_bytes(70, "h", 999),
    "colours": _with_bytes(70, "h", 128),
    "offset": _with_bytes(108, "f", float("inf")),
    "no affine": _with_bytes(280, "f", *[float("nan")] * 12),
    "flat affine": _with_bytes(280, "f", *[0.0] * 12),
    "gone": lambda folder: (folder / NORM).unlink(),
    "no object": lambda folder: (folder / ABOUT).write_text("[]"),
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS.keys())
def test_a_norm_that_cannot_be_used_is_told_of(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    write_norm(tmp_path, norm_of(FEWEST_PEOPLE), RULES, "senior")
    spoil(tmp_path)
    with pytest.raises(UnavailableError, match=r"norm\.nii.*remove both"):
        _load(tmp_path)


def _load(folder: Path) -> None:
    stored = find_norm(folder, RULES, "senior")
    assert stored is not None
    stored.load()
