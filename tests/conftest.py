from __future__ import annotations

import os

import numpy as np
import pytest

# Two test processes on two cores: one thread each. Set before ants and torch are imported.
for _variable in ("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_variable, "2")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1234)
