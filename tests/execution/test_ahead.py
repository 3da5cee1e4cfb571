"""Libraries that are loaded while other processes work."""

from __future__ import annotations

import _imp
import sys
import threading
import time

import pytest

from synthtumour_bids.errors import StoppedError
from synthtumour_bids.execution import ahead


def test_a_signal_in_an_import_does_not_hold_the_run_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "SECONDS_TO_END", 0.2)
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    others = threading.active_count()
    start = time.monotonic()
    _imp.acquire_lock()  # as an exception leaves it that comes between this and its `try`
    try:
        with pytest.raises(StoppedError), ahead.loaded_ahead(["colorsys"]):
            raise StoppedError
        assert time.monotonic() - start < 10
        assert threading.active_count() == others + 1
    finally:
        _imp.release_lock()
