from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from tests.finished import Finished

# Two test processes on two cores: one thread each. Set before ants and torch are imported.
for _variable in ("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_variable, "2")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1234)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The demo cohort, segmented once."""
    from tests.finished import run_on_demo_cohort

    return run_on_demo_cohort(tmp_path_factory.mktemp("cohort"))
