"""Progress of long work: a log line for each piece, and on a terminal a bar instead of these."""

from __future__ import annotations

import logging
import os
import sys
import time
from types import TracebackType
from typing import Any

from tqdm import tqdm

from synthtumour_bids.texts import visible

LOGGER = logging.getLogger("synthtumour_bids")
ON_TERMINAL = "on_terminal"  # says of a log record that the terminal shows it already


def describe_seconds(seconds: float) -> str:
    """Write a duration as people say it: ``40 s``, ``12 min``, ``3 h 05 min``, ``4 days``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes / (24 * 60):.0f} days"


class Progress:
    """Count ``total`` pieces of work: a context manager, told by ``advance`` or ``reach``.

    Every piece is a line of the log. Where a bar is on the terminal, these lines go to the log
    file alone.
    """

    def __init__(self, label: str, total: int) -> None:
        self.label, self.total, self.count = label, total, 0
        self._start = time.monotonic()
        self._first: tuple[int, float] | None = None  # count and time of the first `come_to`
        self._bar: Any = None

    def __enter__(self) -> Progress:
        """Show the bar on an interactive terminal."""
        if self.total and _has_room_for_a_bar():
            self._bar = tqdm(total=self.total, desc=self.label, leave=False, dynamic_ncols=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()

    def reach(self, count: int, what: str) -> None:
        """Say that `count` pieces have ended, and how it stands."""
        self._show(count, what, f": {what}")

    def advance(self, what: str = "") -> None:
        """Count one piece as ended; the line tells the time a piece takes and what is left."""
        count = self.count + 1
        each = (time.monotonic() - self._start) / count
        self._show(count, what, f" {what}" * bool(what) + self._pace(count, each))

    def come_to(self, count: int) -> None:
        """Say that `count` pieces have ended, some of them maybe in an earlier run."""
        now = time.monotonic()
        first, start = self._first = self._first or (count, now)
        self._show(count, "", self._pace(count, (now - start) / (count - first or 1)))

    def _pace(self, count: int, each: float) -> str:
        """Say the rate and the time left; nothing where that is not known or nothing is left."""
        if count >= self.total or not each:
            return ""
        left = describe_seconds(each * (self.total - count))
        return f", {_describe_rate(each)}, about {left} left"

    def _show(self, count: int, postfix: str, tail: str) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(visible(postfix), refresh=False)
            self._bar.update(count - self.count)
        self.count = count
        LOGGER.info(
            "%s %d/%d%s",
            *(self.label, count, self.total, tail),
            extra={ON_TERMINAL: self._bar is not None},
        )


class BesideBars(logging.StreamHandler[Any]):
    """Writes log lines above the bars of the terminal, without those that it shows anyway."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        if not getattr(record, ON_TERMINAL, False):
            with tqdm.external_write_mode(file=self.stream):
                super().emit(record)


def _describe_rate(seconds_each: float) -> str:
    """Write a rate with the number that is above 1: ``12 s each`` or ``3.5 a second``."""
    if seconds_each >= 1:
        return f"{describe_seconds(seconds_each)} each"
    return f"{1 / seconds_each:.1f} a second"


def _has_room_for_a_bar() -> bool:
    """Whether standard error is a terminal that has a width; some consoles say 0 by 0."""
    try:
        return sys.stderr.isatty() and os.get_terminal_size(sys.stderr.fileno()).columns > 0
    except (OSError, ValueError):  # no terminal after all; or a stream without a file
        return False
