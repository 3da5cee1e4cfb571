"""Processes that coverage need not trace, or not from their start: it takes half their time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


def unmeasured() -> dict[str, str]:
    """Variables of processes that are timed, or killed, or do what others do that are measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


@contextmanager
def unmeasured_imports() -> Iterator[None]:
    """Processes of pools are measured from their first work on, and not while they import.

    What they import is imported by processes that are measured, too.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        yield
