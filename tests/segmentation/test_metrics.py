from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthtumour_bids.segmentation.metrics import evaluate
from synthtumour_bids.segmentation.uncertainty import entropy
from synthtumour_bids.synthesis.geometry import dice

SHAPE = (12, 14, 10)
EMPTY = np.zeros(SHAPE, bool)


def box(*bounds: tuple[int, int]) -> np.ndarray:
    mask = EMPTY.copy()
    mask[tuple(slice(low, high) for low, high in bounds)] = True
    return mask


def test_equal_masks_agree_fully() -> None:
    mask = box((2, 6), (3, 9), (1, 5))
    scores = evaluate(mask, mask, (1.0, 2.0, 3.0))
    assert scores.dice == pytest.approx(1)
    assert scores.hd95_mm == 0
    assert scores.volume_error_mL == 0
    assert scores.volume_error_percent == 0


def test_a_shift_by_two_voxels_by_hand() -> None:
    # 4 x 4 x 4 cubes, shifted by 2 along X: 32 of 64 voxels overlap.
    truth, shifted = box((2, 6), (4, 8), (3, 7)), box((4, 8), (4, 8), (3, 7))
    scores = evaluate(shifted, truth, (1.5, 1.0, 1.0))
    assert scores.dice == pytest.approx(2 * 32 / 128)
    # The farthest face (16 of 56 surface voxels) lies 2 voxels of 1.5 mm away.
    assert scores.hd95_mm == pytest.approx(3.0)
    assert scores.volume_error_mL == pytest.approx(0)


def test_volume_error_in_ml_and_percent() -> None:
    truth = box((0, 10), (0, 10), (0, 10))  # 1000 voxels of 2 mm3 = 2 mL
    grown = box((0, 10), (0, 11), (0, 10))
    scores = evaluate(grown, truth, (1.0, 1.0, 2.0))
    assert scores.volume_error_mL == pytest.approx(0.2)
    assert scores.volume_error_percent == pytest.approx(10)
    assert evaluate(truth, grown, (1.0, 1.0, 2.0)).volume_error_mL == pytest.approx(-0.2)


def test_empty_masks_are_defined() -> None:
    some = box((2, 6), (3, 9), (1, 5))  # 96 voxels
    spacing = (1.0, 1.0, 1.0)
    both = evaluate(EMPTY, EMPTY, spacing)
    assert (both.dice, both.hd95_mm, both.volume_error_mL, both.volume_error_percent) == (
        1,
        0,
        0,
        0,
    )
    missed = evaluate(EMPTY, some, spacing)
    assert (missed.dice, missed.volume_error_percent) == (0, -100)
    assert missed.volume_error_mL == pytest.approx(-0.096)
    assert math.isnan(missed.hd95_mm)
    invented = evaluate(some, EMPTY, spacing)
    assert invented.dice == 0
    assert invented.volume_error_mL == pytest.approx(0.096)
    assert math.isnan(invented.hd95_mm)
    assert math.isnan(invented.volume_error_percent)


def test_masks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        evaluate(EMPTY, EMPTY[:-1], (1, 1, 1))
    with pytest.raises(ValueError, match="cannot be compared"):
        dice(EMPTY, EMPTY[:-1])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.9))
def test_dice_is_symmetric(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.random((2, 6, 6, 6)) < share
    if b.any():
        assert evaluate(a, b, (1, 1, 1)).dice == pytest.approx(dice(a, b), abs=1e-6)
    assert dice(a, b) == dice(b, a)


def test_entropy_by_hand() -> None:
    bits = entropy(np.array([0.0, 0.25, 0.5, 0.75, 1.0, 1.0 + 1e-9]))
    expected = 0.25 * 2 + 0.75 * math.log2(4 / 3)
    np.testing.assert_allclose(bits, [0, expected, 1, expected, 0, 0], atol=1e-6)
    assert bits.dtype == np.float32
