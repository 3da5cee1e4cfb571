"""Being asked to stop: SIGTERM and SIGUSR1 as an event, so that long work can save first."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

LOGGER = logging.getLogger(__name__)


@contextlib.contextmanager
def stop_signal() -> Iterator[threading.Event]:
    """Give an event that SIGTERM and SIGUSR1 set during the block."""
    stop = threading.Event()
    before: dict[int, Any] = {}

    def ask(number: int, _: FrameType | None) -> None:
        LOGGER.warning("received %s: saving and stopping", signal.Signals(number).name)
        stop.set()

    if threading.current_thread() is threading.main_thread():  # signals are handled there only
        for name in ("SIGTERM", "SIGUSR1"):
            if hasattr(signal, name):
                number = getattr(signal, name)
                before[number] = signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
