from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.builders.finished import Finished, run_on_demo_cohort
from tests.builders.short import short_trainings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what shares the finished run: one process does that, and others all else beside it."""
    for item in items:
        if "finished" in getattr(item, "fixturenames", ()):
            item.add_marker("cohort")


@pytest.fixture(scope="package", autouse=True)
def _short_trainings() -> Iterator[None]:
    with short_trainings():
        yield


@pytest.fixture(scope="package")
def finished(tmp_path_factory: pytest.TempPathFactory, _short_trainings: None) -> Finished:
    """The demo cohort, segmented once."""
    return run_on_demo_cohort(tmp_path_factory.mktemp("cohort"))
