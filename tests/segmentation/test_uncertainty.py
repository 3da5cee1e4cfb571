from __future__ import annotations

import numpy as np
from scipy import special

from synthtumour_bids.segmentation.uncertainty import mirrored_probability


def test_the_second_opinion_is_that_of_the_mirrored_scan() -> None:
    one, other = np.random.default_rng(0).normal(0, 3, (2, 1000))
    both = special.expit((one + other) / 2).astype(np.float32)  # nnU-Net's mean of logits
    found = mirrored_probability(both, special.expit(one).astype(np.float32))
    assert np.allclose(found, special.expit(other), atol=1e-3)
