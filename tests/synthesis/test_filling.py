"""Holes filled by gradients."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from synthtumour_bids.synthesis.filling import fill

SHAPE = (18, 16, 14)
SPACING = (1.0, 2.0, 1.5)


def ball(radius: float = 5.0) -> np.ndarray:
    middle = (np.array(SHAPE) - 1)[:, None, None, None] / 2
    return np.linalg.norm(np.indices(SHAPE) - middle, axis=0) < radius


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 99), offset=st.floats(-1e3, 1e3), at_surface=st.booleans())
def test_a_guide_that_differs_by_a_constant_gives_the_truth(
    seed: int, offset: float, at_surface: bool
) -> None:
    truth = np.random.default_rng(seed).normal(100, 20, SHAPE).astype(np.float32)
    hole, brain = ball(), np.ones(SHAPE, bool)
    if at_surface:
        brain[SHAPE[0] // 2 :] = False
    hole &= brain
    holed = np.where(hole, np.float32(7), truth)
    everywhere = np.ones(SHAPE, bool)
    filled = fill(holed, hole, brain, truth + offset, everywhere, SPACING)
    np.testing.assert_array_equal(filled[~hole], truth[~hole])
    np.testing.assert_allclose(filled[hole], truth[hole], atol=0.5)


def test_without_a_guide_the_filling_is_smooth() -> None:
    plane = np.einsum("a,axyz->xyz", (1.0, 2.0, -1.0), np.indices(SHAPE)).astype(np.float32)
    hole, nothing = ball(), np.zeros(SHAPE, bool)
    filled = fill(np.where(hole, 0, plane), hole, ~nothing, plane, nothing, (1.0, 1.0, 1.0))
    np.testing.assert_allclose(filled, plane, atol=0.1)
    assert fill(plane, nothing, ~nothing, plane, nothing, SPACING) is not plane
