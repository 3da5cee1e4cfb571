"""The statistics of the benchmarks of fabrication."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from synthtumour_bids.synthesis.fabrication.realism import Reference

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
LESIONS = np.random.default_rng(0).normal(size=(10, 2, 15))


@pytest.fixture
def realism(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import fabrication_realism

    return fabrication_realism


def test_what_is_kept_is_compared_with_as_many_by_chance(realism: ModuleType) -> None:
    reference = Reference(LESIONS, np.ones((2, 15)))
    rng = np.random.default_rng(1)
    alike, others = rng.normal(size=(20, 2, 15)), rng.normal(1, size=(20, 2, 15))
    samples = np.concatenate([alike, others])
    good = np.arange(40) < 20
    assert realism.chance(reference, samples, good) < 0.01
    assert realism.chance(reference, samples, ~good) > 0.99
    assert realism.chance(reference, samples, np.arange(40) < 38) is None
    donors = np.arange(20) // 2
    gain, error = realism.nearer(reference, others, alike, donors)
    assert gain > 5 * error > 0
    assert realism.nearer(reference, others, others, donors) == (0, 0)
    one = np.where(np.arange(20) < 2, 9.0, 0.0)[:, None, None]  # what one donor's samples gain
    few, by_few = realism.nearer(reference, alike + one, alike, donors)
    assert 0 < few < 2 * by_few, "a gain by one donor's samples alone is not told from chance"
