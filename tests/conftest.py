from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.builders.datasets import make, table
from tests.builders.measured import VARIABLE
from tests.builders.short import NO_STARTERS

# No more threads than the smallest machine that tests run on has cores; set before ants and torch
# are imported.
for _variable in ("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_variable, "2")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: at the end one process would be left with them."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def _no_starter_is_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs train as they are told, whichever starters the package has."""
    monkeypatch.setattr("synthtumour_bids.segmentation.starters.SHIPPED", NO_STARTERS)


@pytest.fixture(scope="session", autouse=True)
def _commands_are_not_measured() -> Iterator[None]:
    """Coverage does not trace what tests start, but where they ask for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(VARIABLE, raising=False)
        yield


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1234)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small trained network."""
    from tests.builders.networks import train_on_blobs

    return train_on_blobs(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def main(tmp_path) -> Path:
    root = make(
        tmp_path / "main",
        "sub-01_FLAIR.nii.gz",
        "sub-02_ses-1_acq-3D_FLAIR.nii.gz",
        "sub-02_ses-2_run-01_FLAIR.nii.gz",
        "sub-02_ses-2_run-02_FLAIR.nii.gz",
        "sub-03_FLAIR.nii",
        "sub-01_T1w.nii.gz",
        "sub-01_FLAIR.json",
    )
    table(root, "sub-01\tcontrol", "sub-02\tPatient", "sub-03\tTumour")
    return root


@pytest.fixture
def healthy(tmp_path) -> Path:
    return make(tmp_path / "healthy", "sub-01_FLAIR.nii.gz", "sub-h1_ses-9_FLAIR.nii.gz")
