from __future__ import annotations

import numpy as np
import pytest

from synthtumour_bids.synthesis.brain import Brain
from tests.builders.ellipsoid import ellipsoid_brain

IMAGE, MASK, SPACING = ellipsoid_brain((4.0, 4.0, 4.0))


def spoiled(value: float) -> np.ndarray:
    image = IMAGE.copy()
    image[10, 10, 10] = value
    return image


@pytest.mark.parametrize(
    ("arguments", "known", "sentence"),
    [
        ((IMAGE[1:], MASK, SPACING), {}, "3-D on one grid; got shapes"),
        ((IMAGE[0], MASK[0], SPACING), {}, "3-D on one grid; got shapes"),
        ((IMAGE, MASK, (0.0, 1.0, 1.0)), {}, "above 0 mm"),
        ((IMAGE, MASK, (1.0, 1.0)), {}, "Three voxel sizes"),
        ((IMAGE, MASK, (np.nan, 1.0, 1.0)), {}, "above 0 mm"),
        ((spoiled(np.nan), MASK, SPACING), {}, r"The image must hold finite numbers; 1 voxel"),
        ((spoiled(np.inf), MASK, SPACING), {}, "finite numbers"),
        ((IMAGE, MASK, SPACING), {"white_matter": IMAGE[1:]}, "white matter must lie on the same"),
        (
            (IMAGE, MASK, SPACING),
            {"white_matter": spoiled(np.nan)},
            "white matter must hold",
        ),
        (
            (IMAGE, MASK, SPACING),
            {"placement": IMAGE[:, 1:]},
            "placement must lie on the same",
        ),
        ((IMAGE, MASK, SPACING), {"placement": spoiled(-1)}, "must not be negative; found -1"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, known, sentence):
    with pytest.raises(ValueError, match=sentence):
        Brain(*arguments, **known)


def test_a_mask_of_numbers_is_as_good_as_one_of_truths():
    one, two = Brain(IMAGE, MASK, SPACING), Brain(IMAGE, 2.0 * MASK, SPACING)
    assert two.mask.dtype == bool
    np.testing.assert_array_equal(one.mask, two.mask)
    assert one.normal == two.normal == pytest.approx(np.median(IMAGE[MASK]), rel=0.05)
    assert Brain(IMAGE, np.zeros_like(MASK), SPACING).normal == 1
