"""Entry point of ``synthtumour-bids`` and ``python -m synthtumour_bids``."""

from __future__ import annotations

import errno
import io
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from synthtumour_bids.cli.parser import parse_settings
from synthtumour_bids.errors import (
    EXIT_DONE,
    EXIT_INTERNAL,
    EXIT_STOPPED,
    EXIT_UNAVAILABLE,
    StoppedError,
    SynthTumourError,
)
from synthtumour_bids.execution.disk import disk_advice
from synthtumour_bids.execution.logs import end_logging, last_words, start_logging
from synthtumour_bids.execution.stopping import stop_by_exception

STOPPED = "Stopped. What is done is kept: run the same command again to continue."

NO_MEMORY = (
    "memory ran out. Use fewer processes (--nprocs), tell the limit (--mem), or give the run more; "
    "then run the same command again: what is done is kept."
)


def _nowhere() -> TextIO:
    """A stream that swallows words, as long as the process lives."""
    return Path(os.devnull).open("w", encoding="utf-8")


def _settle_streams() -> None:
    """Make words reach the user whatever the streams are: closed, or in another encoding."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, _nowhere())
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _was_stopped(error: BaseException | None) -> bool:
    """Whether an error came of a signal, which may fall into the clean-up of any library."""
    while error is not None:
        if isinstance(error, StoppedError | KeyboardInterrupt):
            return True
        error = error.__context__
    return False


def main(argv: Sequence[str] | None = None) -> int:
    """Run the app.

    Parameters
    ----------
    argv
        Arguments without the program's name; those of the process where left out.

    Returns
    -------
    Exit code: see :mod:`synthtumour_bids.errors`. The last words on standard error are made
    from the same value.
    """
    _settle_streams()
    # Nobody here works with joblib, which other packages load: its semaphores would outlive a run
    # that is killed.
    os.environ.setdefault("JOBLIB_MULTIPROCESSING", "0")
    with stop_by_exception():
        return _run(argv)


def _run(argv: Sequence[str] | None) -> int:
    try:
        settings = parse_settings(argv)
        # Threads and caches must be settled before ants or torch are imported.
        from synthtumour_bids.app import run

        start_logging(settings.verbosity)
        outcome = run(settings)
        sys.stdout.flush()
        if outcome is None:
            return EXIT_DONE
        last_words(outcome.verdict(), logging.ERROR if outcome.failures else logging.INFO)
        return outcome.exit_code
    except BrokenPipeError:  # whoever read the words has read enough, as head does
        sys.stdout = _nowhere()
        return EXIT_DONE
    except (StoppedError, KeyboardInterrupt):
        last_words(STOPPED, logging.WARNING)
        return EXIT_STOPPED
    except SynthTumourError as error:
        last_words(f"synthtumour-bids: error: {error}")
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - turns any defect into the documented code
        if _was_stopped(error):
            last_words(STOPPED, logging.WARNING)
            return EXIT_STOPPED
        if advice := disk_advice(error):
            last_words(f"synthtumour-bids: error: {error}. {advice}")
            return EXIT_UNAVAILABLE
        if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
            last_words(f"synthtumour-bids: error: {NO_MEMORY}")
            return EXIT_UNAVAILABLE
        last_words(traceback.format_exc().rstrip())
        last_words("synthtumour-bids: internal error, please report it with the log.")
        return EXIT_INTERNAL
    finally:
        end_logging()


if __name__ == "__main__":
    sys.exit(main())
