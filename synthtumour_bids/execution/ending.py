"""How a command ends: whatever is raised becomes last words and a documented exit code."""

from __future__ import annotations

import errno
import logging
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress

from synthtumour_bids.errors import (
    EXIT_INTERNAL,
    EXIT_STOPPED,
    EXIT_UNAVAILABLE,
    StoppedError,
    SynthTumourError,
)
from synthtumour_bids.execution.disk import disk_advice, permission_advice
from synthtumour_bids.execution.home import settle_home
from synthtumour_bids.execution.logs import end_logging, last_words
from synthtumour_bids.execution.stopping import stop_by_exception
from synthtumour_bids.execution.streams import leave_streams, settle_streams

STOPPED = "Stopped. What is done is kept: run the same command again to continue."

NO_MEMORY = (
    "memory ran out. Use fewer processes (--nprocs), tell the limit (--mem), or give the run more; "
    "then run the same command again: what is done is kept."
)


def exit_code(program: str, work: Callable[[], int]) -> int:
    """Do the work of a command, and end as documented.

    Parameters
    ----------
    program
        Its name, for the last words.
    work
        Returns the exit code where nothing is raised.

    Returns
    -------
    Exit code: see :mod:`synthtumour_bids.errors`. The last words on standard error are made
    from the same value.
    """
    settle_streams()
    settle_home()
    # Nobody here works with joblib, which other packages load: its semaphores would outlive a run
    # that is killed.
    os.environ.setdefault("JOBLIB_MULTIPROCESSING", "0")
    with stop_by_exception():
        return _ended(program, work)


def _ended(program: str, work: Callable[[], int]) -> int:
    try:
        code = work()
        with suppress(BrokenPipeError):  # whoever read the words has read enough, as head does
            sys.stdout.flush()
        return code
    except (StoppedError, KeyboardInterrupt):
        last_words(STOPPED, logging.WARNING)
        return EXIT_STOPPED
    except SynthTumourError as error:
        last_words(f"{program}: error: {error}")
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - turns any defect into the documented code
        if _was_stopped(error):
            last_words(STOPPED, logging.WARNING)
            return EXIT_STOPPED
        if advice := disk_advice(error):
            last_words(f"{program}: error: {error}. {advice}")
            return EXIT_UNAVAILABLE
        if words := permission_advice(error):
            last_words(f"{program}: error: {words}")
            return EXIT_UNAVAILABLE
        if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
            last_words(f"{program}: error: {NO_MEMORY}")
            return EXIT_UNAVAILABLE
        last_words(traceback.format_exc().rstrip())
        last_words(f"{program}: internal error, please report it with the log.")
        return EXIT_INTERNAL
    finally:
        end_logging()
        leave_streams()


def _was_stopped(error: BaseException | None) -> bool:
    """Whether an error came of a signal, which may fall into the clean-up of any library."""
    while error is not None:
        if isinstance(error, StoppedError | KeyboardInterrupt):
            return True
        error = error.__context__
    return False
