"""One item on a Dask worker, in a process of its own.

ANTs holds Python's global lock for as long as a registration takes. A Dask worker that runs it
itself cannot tell its scheduler that it is alive, and is given up after 5 minutes. So the worker
only waits, and a child process works. The child also has its own environment variables (threads,
ANTs' seed), so that workers with several threads give the same results, and where memory runs out
the child dies and the worker lives.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthtumour_bids.execution.attempt import (
    KILLED,
    Answer,
    Item,
    Result,
    Value,
    attempt_in_worker,
)

SECONDS_BETWEEN_LOOKS = 2.0
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


@dataclass(frozen=True)
class Call:
    """What is the same for all items of one map.

    Attributes
    ----------
    function
        Importable on the workers.
    token
        File in the shared work folder that is there as long as the run wants the results.
    environment
        Variables of the child; ``None`` takes one away.
    """

    function: Callable[[Any], Any]
    token: Path
    environment: Mapping[str, str | None]


def run_in_child(call: Call, item: Item) -> Answer[Item, Any]:
    """Run one item in a child process; runs on the Dask worker.

    A child whose run was stopped is killed, so that nothing goes on writing.
    """
    from distributed import get_worker

    request = pickle.dumps((call.function, item))
    # Dask clears the folders of workers that were killed.
    folder = get_worker().local_directory
    with tempfile.TemporaryDirectory(prefix="synthtumour-", dir=folder) as temporary:
        variables = {**os.environ, **call.environment, "TMPDIR": temporary}
        environment = {key: value for key, value in variables.items() if value is not None}
        with subprocess.Popen(  # noqa: S603 - this Python, with this module
            [sys.executable, "-c", f"from {__name__} import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        ) as child:
            answer = _answer(child, request, call.token)
    if child.returncode == 0:
        content: Answer[Item, Any] = pickle.loads(answer)  # noqa: S301 - from the child
        return content
    if child.returncode < 0:
        return Answer(Result(item, error=KILLED))
    error = f"its process ended with code {child.returncode}; the Dask worker's log says why."
    return Answer(Result(item, error=error))


def _answer(child: subprocess.Popen[bytes], request: bytes, token: Path) -> bytes:
    to_send: bytes | None = request
    while True:
        try:
            return child.communicate(to_send, timeout=SECONDS_BETWEEN_LOOKS)[0]
        except subprocess.TimeoutExpired:
            to_send = None  # the rest of it is on its way
            if not token.exists():
                child.kill()


def main() -> None:
    """Read a function and an item from standard input, write the answer to standard output."""
    tie_to_parent()
    # ANTs and nnU-Net print: what they say goes to the worker's log, not into the answer.
    with os.fdopen(os.dup(1), "wb") as answer:
        os.dup2(2, 1)
        function: Callable[[Item], Value]
        function, item = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - the worker's
        pickle.dump(attempt_in_worker(function, item), answer)


def tie_to_parent() -> None:
    """End with the process that started this one, and not before it.

    A scheduler signals all processes of a job: were a child to end first, its parent would report
    it as killed, instead of leaving the scan to others or saving the training.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    elif parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()
    if parent is not None and parent.pid != os.getppid():  # it ended just before
        _end()


def kill_children() -> None:
    """Kill the processes that this one started: it could not end before one that is stuck."""
    children = multiprocessing.active_children()
    with _unwatched():
        for child in children:
            child.kill()
        for child in children:
            child.join()


@contextlib.contextmanager
def _unwatched() -> Iterator[None]:
    """Take no notice of children that die: torch's handler raises for the first one."""
    if threading.current_thread() is not threading.main_thread():  # no handler is called there
        yield
        return
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, before or signal.SIG_DFL)


def _end_after(sentinel: int) -> None:
    """End when the process that a sentinel stands for has."""
    multiprocessing.connection.wait([sentinel])
    _end()


def _end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
