"""Log lines: to standard error for people, to a file under the output folder for support."""

from __future__ import annotations

import dataclasses
import logging
import os
import sys
import time
import uuid
import warnings
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Any

from synthtumour_bids import __version__
from synthtumour_bids.execution.places import HidingFormatter, Places
from synthtumour_bids.execution.progress import ON_TERMINAL, BesideBars
from synthtumour_bids.settings import Settings
from synthtumour_bids.texts import visible

_FORMAT = "%(asctime)s %(levelname)s %(message)s"
_MOST_BEFORE = 1000  # lines; other tools start the log as well, and never open a run's


class _Visible(logging.Formatter):
    """Formats log lines that a terminal shows, and does not obey."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


class _SaidBefore(logging.Handler):
    """Keeps what is said before the file of the run's log is there, to be written into it."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        if len(self.records) < _MOST_BEFORE:
            self.records.append(record)


class _RunLog(logging.FileHandler):
    """The file of a run's log; where it cannot be written, the run goes on."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - as logging calls it
        """Say nothing: what fills a disk is told anyway."""


def start_logging(verbosity: int = 0) -> None:
    """Send the app's log lines to standard error, quiet the libraries.

    Parameters
    ----------
    verbosity
        0 shows progress and warnings, 1 and more the details.
    """
    logger = logging.getLogger("synthtumour_bids")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    handler = BesideBars(sys.stderr)
    handler.setLevel(logging.INFO if verbosity == 0 else logging.DEBUG)
    handler.setFormatter(_Visible(_FORMAT, "%H:%M:%S"))
    logger.addHandler(handler)
    logger.addHandler(_SaidBefore())
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)


def last_words(text: str, level: int = logging.ERROR) -> None:
    """Say how a run ended: to people without date and time, to the log as any line."""
    with suppress(OSError):  # nobody reads it any more
        print(visible(text), file=sys.stderr)
    logger = logging.getLogger("synthtumour_bids")
    if logger.hasHandlers():  # else logging would say it to people once more
        logger.log(level, "%s", text, extra={ON_TERMINAL: True})


def end_logging() -> None:
    """Close the log of the run: what comes later belongs to another one."""
    logger = logging.getLogger("synthtumour_bids")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        with suppress(OSError, ValueError):  # as with a full disk: the run's end is told already
            handler.close()


def open_run_log(settings: Settings) -> Path:
    """Start this run's log file, with what was said before; write its settings beside it as TOML.

    Returns
    -------
    ``logs/<date>-<time>_<id>/`` under the output folder, with ``synthtumour.log`` and
    ``synthtumour.toml`` (readable again with ``--config-file``).
    """
    name = f"{time.strftime('%Y%m%d-%H%M%S')}_{uuid.uuid4().hex[:8]}"
    folder = settings.output_dir / "logs" / name
    folder.mkdir(parents=True)
    handler = _RunLog(folder / "synthtumour.log", encoding="utf-8")
    handler.setFormatter(HidingFormatter(_FORMAT, Places.of(settings)))
    logger = logging.getLogger("synthtumour_bids")
    for before in [one for one in logger.handlers if isinstance(one, _SaidBefore)]:
        logger.removeHandler(before)
        for record in before.records:
            handler.handle(record)
    logger.addHandler(handler)
    (folder / "synthtumour.toml").write_text(settings_as_toml(settings), encoding="utf-8")
    return folder


def settings_as_toml(settings: Settings) -> str:
    """Write settings as a TOML document; options that are not set are left out.

    A profile and a number of processes that nobody gave are not set: another output folder, on
    another machine, has its own.
    """
    import tomli_w

    def plain(value: Any) -> Any:
        if isinstance(value, Enum):
            return value.value
        if isinstance(value, Path):
            return str(value)
        if isinstance(value, tuple):
            return [plain(item) for item in value]
        return value

    content = {
        item.name: plain(getattr(settings, item.name))
        for item in dataclasses.fields(settings)
        if item.name not in ("profile", "profile_given", "nprocs_given")
        and (item.name != "nprocs" or settings.nprocs_given)
        and getattr(settings, item.name) not in (None, ())
        and not (settings.anonymous_paths and _is_path(getattr(settings, item.name)))
    }
    if settings.profile_given:
        content["profile"] = settings.profile.name
    header = f"# synthtumour-bids {__version__}, {len(os.sched_getaffinity(0))} cores\n"
    if settings.anonymous_paths:
        header += "# Without paths (--anonymous-paths): --config-file needs all folders again.\n"
    return header + tomli_w.dumps(content)


def _is_path(value: Any) -> bool:
    """Whether a setting names files or folders, or an address."""
    values = value if isinstance(value, tuple) else (value,)
    return any(isinstance(one, Path) or (isinstance(one, str) and "/" in one) for one in values)
