"""A temperature makes probabilities mean what they say, and leaves masks alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import special

from synthtumour_bids.segmentation.reliability import reliability
from synthtumour_bids.segmentation.temperature import HIGHEST, at_temperature, fit_temperature

MAPS = arrays(np.float32, 20, elements=st.floats(0, 1, width=32))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_of_a_network_that_is_too_sure_is_found(temperature: float) -> None:
    rng = np.random.default_rng(1)
    true = rng.beta(0.3, 0.6, 40_000)
    labels = rng.random(true.size) < true
    said = special.expit(temperature * special.logit(np.clip(true, 1e-6, 1 - 1e-6)))
    found = fit_temperature(said.astype(np.float32), labels)
    assert found == pytest.approx(temperature, rel=0.06)


@settings(max_examples=20, deadline=None)
@given(MAPS, arrays(bool, 20))
def test_no_map_gets_less_reliable(said: np.ndarray, labels: np.ndarray) -> None:
    after = at_temperature(said, fit_temperature(said, labels))
    assert reliability(after, labels).error <= reliability(said, labels).error


@settings(max_examples=50)
@given(MAPS, st.floats(1 / HIGHEST, HIGHEST))
def test_no_voxel_changes_sides_and_the_order_stays(said: np.ndarray, temperature: float) -> None:
    after = at_temperature(said, temperature)
    assert np.array_equal(after >= 0.5, said >= 0.5)
    assert np.array_equal(after[np.isin(said, (0, 0.5, 1))], said[np.isin(said, (0, 0.5, 1))])
    assert (np.diff(after[np.argsort(said)]) >= 0).all()
    assert np.array_equal(at_temperature(said, 1), said)


def test_where_nothing_can_be_learned_the_temperature_is_1() -> None:
    for labels in (np.zeros(5, bool), np.ones(5, bool), np.zeros(0, bool)):
        assert fit_temperature(np.full(labels.size, 0.3), labels) == 1
    with pytest.raises(ValueError, match="differ in shape"):
        fit_temperature(np.zeros(3), np.zeros(4, bool))
