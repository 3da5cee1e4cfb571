"""Being asked to stop by a signal: an exception, or an event where work saves first."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from synthtumour_bids.errors import StoppedError

LOGGER = logging.getLogger(__name__)

SECONDS_TO_LEAVE = 0.1  # what Python was doing when an exception was lost


@contextlib.contextmanager
def stop_by_exception() -> Iterator[None]:
    """Let SIGTERM and SIGUSR1 raise `StoppedError` during the block, wherever they come.

    Python drops what is raised while it clears objects away, in ``__del__`` or in the callback of a
    weak reference. The signal is sent once more then.
    """
    drop = sys.unraisablehook

    def send_again(lost: Any) -> None:
        if not isinstance(lost.exc_value, StoppedError | KeyboardInterrupt):
            drop(lost)
            return
        number = signal.SIGTERM if isinstance(lost.exc_value, StoppedError) else signal.SIGINT
        # Not from here, where it would be lost, too.
        timer = threading.Timer(SECONDS_TO_LEAVE, os.kill, (os.getpid(), number))
        timer.daemon = True
        timer.start()

    before = {number: signal.signal(number, _raise) for number in (signal.SIGTERM, signal.SIGUSR1)}
    sys.unraisablehook = send_again
    try:
        yield
    finally:
        sys.unraisablehook = drop
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int, _: FrameType | None) -> None:
    msg = f"received {signal.Signals(number).name}"
    raise StoppedError(msg)


@contextlib.contextmanager
def stop_signal() -> Iterator[threading.Event]:
    """Give an event that SIGTERM, SIGUSR1 and Ctrl-C set during the block.

    Ctrl-C after one of them interrupts at once. Where it is ignored, as in background jobs, it
    stays so.
    """
    stop = threading.Event()
    before: dict[int, Any] = {}

    def ask(number: int, _: FrameType | None) -> None:
        if number == signal.SIGINT and stop.is_set():
            raise KeyboardInterrupt
        LOGGER.warning("received %s: saving and stopping", signal.Signals(number).name)
        stop.set()

    if threading.current_thread() is threading.main_thread():  # signals are handled there only
        for name in ("SIGTERM", "SIGUSR1", "SIGINT"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
