"""Entry point of ``synthtumour-bids`` and ``python -m synthtumour_bids``."""

from __future__ import annotations

import errno
import logging
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType

from synthtumour_bids.cli.parser import parse_settings
from synthtumour_bids.errors import (
    EXIT_INTERNAL,
    EXIT_STOPPED,
    EXIT_UNAVAILABLE,
    StoppedError,
    SynthTumourError,
)

STOPPED = "Stopped. What is done is kept: run the same command again to continue."
DISK_FULL = (
    "synthtumour-bids: {}. Make room for the output folder and for --work-dir (several GB), or "
    "name another --work-dir; then run the same command again: what is done is kept."
)


def _disk_is_full(error: BaseException | None) -> bool:
    """Whether an error, or what it came from, is that of a full disk or an exhausted quota."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False


def _stop(number: int, frame: FrameType | None) -> None:
    msg = f"received {signal.Signals(number).name}"
    raise StoppedError(msg)


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
    before = {number: signal.signal(number, _stop) for number in (signal.SIGTERM, signal.SIGUSR1)}
    try:
        settings = parse_settings(argv)
        # Threads and caches must be settled before ants or torch are imported.
        from synthtumour_bids.app import run
        from synthtumour_bids.execution.logs import start_logging

        start_logging(settings)
        outcome = run(settings)
    except (StoppedError, KeyboardInterrupt):
        print(STOPPED, file=sys.stderr)
        return EXIT_STOPPED
    except SynthTumourError as error:
        print(f"synthtumour-bids: error: {error}", file=sys.stderr)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - turns any defect into the documented code
        if _disk_is_full(error):
            print(DISK_FULL.format(error), file=sys.stderr)
            return EXIT_UNAVAILABLE
        traceback.print_exc()
        print("synthtumour-bids: internal error, please report it with the log.", file=sys.stderr)
        return EXIT_INTERNAL
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        logging.shutdown()
    if outcome is None:
        return 0
    print(outcome.verdict(), file=sys.stderr)
    return outcome.exit_code


if __name__ == "__main__":
    sys.exit(main())
