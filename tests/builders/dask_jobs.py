"""What the Dask tests run on workers; importable there."""

from __future__ import annotations

import logging
import os
import signal
import time
from pathlib import Path

from synthtumour_bids.errors import DataError
from synthtumour_bids.execution.attempt import Result
from synthtumour_bids.execution.child import SECONDS_BETWEEN_LOOKS

LOGGER = logging.getLogger("synthtumour_bids.tests")


def square_or_fail(number: int) -> int:
    LOGGER.warning("squaring %d", number)
    if number == 3:
        msg = "three cannot be used"
        raise DataError(msg)
    return number * number


def square_slowly(number: int) -> int:
    time.sleep(2 * SECONDS_BETWEEN_LOOKS + 0.5)
    return number * number


def tell_environment(name: str) -> str | None:
    print("chatter on standard output")
    return os.environ.get(name)


def be_killed(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def kill_worker_once(item: tuple[int, Path]) -> int:
    """Kill the Dask worker itself during the item ``number == 1``, the first time."""
    number, folder = item
    with (folder / f"{number}-{os.getpid()}").open("w"):
        pass
    if number == 1 and len(list(folder.glob("1-*"))) == 1:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    return number * number


def kill_worker_always(number: int) -> int:
    if number == 1:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    return number * number


def sleep_long(item: tuple[int, Path]) -> int:
    number, folder = item
    (folder / str(os.getpid())).touch()
    time.sleep(600)
    return number


def values(results: list[Result]) -> list[object]:
    return [result.value for result in results]
