"""Masks are judged by what is found of them in another place."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.geometry import dice
from synthtumour_bids.synthesis.replanting import (
    can_hold,
    own_half,
    replant,
    whole_brain,
)

SHAPE, SPACING = (40, 44, 40), (3.0, 3.0, 3.0)


def ball(centre: tuple[int, int, int], radius: float) -> np.ndarray:
    grid = np.stack(np.indices(SHAPE), -1) - centre
    return np.linalg.norm(grid, axis=-1) < radius


TUMOUR = ball((11, 22, 20), 6)


@pytest.fixture
def brain() -> Brain:
    """A brain with a bright ball on one side."""
    inside = ball((20, 22, 20), 18)
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=SHAPE), 1)
    image = np.where(inside, 100 + 30 * noise + 60 * TUMOUR, 0).astype(np.float32)
    return Brain(image, inside, SPACING)


def find(images: np.ndarray) -> np.ndarray:
    """Find what is bright, as a network does."""
    opened: np.ndarray = ndimage.binary_opening(ndimage.gaussian_filter(images[0], 0.7) > 130)
    return opened


def test_the_right_mask_is_found_again_and_wrong_ones_are_not(brain: Brain) -> None:
    ground = own_half([brain], TUMOUR.astype(np.float32))
    assert ground.healthy
    assert not find(ground.brains[0].image[None]).any()
    right = replant([brain], TUMOUR, ground, find)
    assert right.same > 0.9
    assert right.grown < right.same
    for wrong in (
        ndimage.binary_dilation(TUMOUR, iterations=4) & brain.mask,
        TUMOUR | ball((12, 22, 32), 4) & brain.mask,
        ball((30, 22, 20), 5) & brain.mask,
    ):
        tested = replant([brain], wrong, ground, find)
        assert tested.same < right.same - 0.1
        assert abs(tested.same - dice(wrong, TUMOUR)) < 0.15


def test_a_speck_is_not_shrunk_to_nothing(brain: Brain) -> None:
    speck = np.zeros(SHAPE, bool)
    speck[11:13, 22, 20] = True
    tested = replant([brain], speck, own_half([brain], TUMOUR.astype(np.float32)), find)
    assert tested.shrunk == tested.same


def test_ground_that_is_ill_itself_holds_no_tumour_and_is_not_compared(brain: Brain) -> None:
    both = TUMOUR | TUMOUR[::-1]
    image = np.where(TUMOUR[::-1], brain.image + 60, brain.image) * brain.mask
    ill = Brain(image, brain.mask, SPACING)
    half = own_half([ill], both.astype(np.float32))
    assert not half.healthy
    assert not can_hold(half, TUMOUR)
    assert can_hold(whole_brain([brain]), TUMOUR)
    elsewhere = ball((14, 34, 20), 3)
    assert can_hold(half, elsewhere)
    shown = Brain(np.where(elsewhere, 170, image) * brain.mask, brain.mask, SPACING)
    assert replant([shown], elsewhere, half, find).same > 0.75  # though it finds the ill half, too


def test_every_contrast_is_planted_alike(brain: Brain) -> None:
    dark = Brain((brain.image.max() - brain.image) * brain.mask, brain.mask, SPACING)
    ground = own_half([brain, dark], TUMOUR.astype(np.float32))
    seen = []

    def look(images: np.ndarray) -> np.ndarray:
        seen.append(images)
        return find(images)

    replant([brain, dark], TUMOUR, ground, look)
    assert [images.shape for images in seen] == [(2, *SHAPE)] * 3
    bright, inverse = seen[0]
    assert bright[TUMOUR].mean() > bright[brain.mask & ~TUMOUR].mean() + 40
    assert inverse[TUMOUR].mean() < inverse[brain.mask & ~TUMOUR].mean() - 40
