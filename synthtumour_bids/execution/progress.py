"""Progress of long work: a bar on a terminal, plain log lines with the remaining time elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType
from typing import Any

LOGGER = logging.getLogger("synthtumour_bids")


def describe_seconds(seconds: float) -> str:
    """Write a duration as people say it: ``40 s``, ``12 min``, ``3 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


class Progress:
    """Count ``total`` pieces of work: a context manager, told by ``advance`` or ``reach``."""

    def __init__(self, label: str, total: int) -> None:
        self.label, self.total, self.count = label, total, 0
        self._start = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> Progress:
        """Show the bar on an interactive terminal."""
        if sys.stderr.isatty() and self.total:
            from tqdm import tqdm

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
        """Say that `count` pieces have ended, and how it stands: beside the bar or in the log."""
        if self._bar is None:
            LOGGER.info("%s %d/%d: %s", self.label, count, self.total, what)
        else:
            self._bar.set_postfix_str(what, refresh=False)
            self._bar.update(count - self.count)
        self.count = count

    def advance(self, what: str = "") -> None:
        """Count one piece as ended."""
        self.count += 1
        if self._bar is not None:
            self._bar.update(1)
            return
        elapsed = time.monotonic() - self._start
        left = elapsed / self.count * (self.total - self.count)
        tail = f", about {describe_seconds(left)} left" if self.count < self.total else ""
        LOGGER.info(
            "%s %d/%d%s%s", self.label, self.count, self.total, f" {what}" * bool(what), tail
        )
