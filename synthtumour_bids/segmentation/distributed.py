"""One training on several devices: a process each, which share the batches out among them.

torch's ``DistributedDataParallel`` averages the gradients, so that all processes hold the same
weights after each step. The process that launches them trains nothing itself: it passes on what
the first one reports, asks it to stop, and ends them all where one of them fails.
"""

from __future__ import annotations

import logging
import math
import multiprocessing
import signal
import socket
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection, wait
from types import SimpleNamespace
from typing import Any, Protocol, TypeVar

import torch
from torch import distributed as dist

from synthtumour_bids.errors import StoppedError, SynthTumourError, UnavailableError, UsageError
from synthtumour_bids.execution.child import tie_to_parent
from synthtumour_bids.segmentation.environment import quiet
from synthtumour_bids.segmentation.ranks import LOOPBACK, SECONDS_TO_ANSWER, Ranks

SECONDS_TO_SAVE = 100.0  # from a request to stop to the end; SLURM kills after 120
SECONDS_TO_EXPLAIN = 5.0  # from the first failure to the end: its cause may show a little later
SECONDS_BETWEEN_LOOKS = 0.5

AGAIN = "Run the same command again to continue from the last checkpoint."

LOGGER = logging.getLogger(__name__)

Task = TypeVar("Task")
Progress = Callable[[int, int, float, float, float], None]


class Stop(Protocol):
    """Says whether the training was asked to stop, as a `threading.Event` does."""

    def is_set(self) -> bool:
        """Whether it was."""
        ...


Work = Callable[[Task, Ranks, Stop, Progress | None], None]


def check_batch(batch_size: int, n: int) -> None:
    """Refuse numbers of devices that cannot share a batch out evenly.

    Raises
    ------
    UsageError
        Naming the numbers that can.
    """
    if batch_size % n:
        fitting = [str(k) for k in range(1, batch_size + 1) if batch_size % k == 0]
        raise UsageError(
            f"--num-gpus {n}: each batch of the training has {batch_size} patches, which cannot "
            f"be shared out evenly among {n}. Use --num-gpus {' or '.join(fitting)}."
        )


def launch(
    work: Work[Task],
    task: Task,
    devices: Sequence[torch.device],
    *,
    stop: Stop,
    progress: Progress | None = None,
    seconds_to_answer: float = SECONDS_TO_ANSWER,
) -> None:
    """Do one piece of work in a process for each device; none of them outlives the call.

    Parameters
    ----------
    work
        Importable function of (task, ranks, stop, progress).
    task
        Picklable.
    stop
        Once it is set, so is that of rank 0, and all must end within `SECONDS_TO_SAVE`.
    progress
        Called here with what rank 0 calls its own with.

    Raises
    ------
    StoppedError
        All ranks stopped as asked.
    UnavailableError
        One of them was killed or does not answer.
    """
    torch.cuda.empty_cache()  # what was computed here before keeps memory that rank 0 may need
    listener = socket.create_server((LOOPBACK, 0))
    port = listener.getsockname()[1]
    store = dist.TCPStore(  # type: ignore[attr-defined]
        LOOPBACK, port, is_master=True, wait_for_workers=False, master_listen_fd=listener.detach()
    )
    members: list[_Member] = []
    try:
        for rank, device in enumerate(devices):
            ranks = Ranks(device, rank, len(devices), port, seconds_to_answer)
            members.append(_Member(work, task, ranks))
        _watch(members, stop, progress)
        failures = [member.failure for member in members if member.failure is not None]
        failures.sort(key=lambda failure: (failure.kind, failure.moment))
        # What asks for a stop may end a process that has only just been started.
        broken = failures and failures[0].kind in (_Kind.DIED, _Kind.LOST_THE_OTHERS)
        if failures and not (broken and stop.is_set()):
            raise failures[0].error
        if failures or not all(member.ended for member in members):
            raise StoppedError(f"Stopped before the state could be saved. {AGAIN}")
    finally:
        for member in members:
            member.end()
        del store


def _watch(members: list[_Member], stop: Stop, progress: Progress | None) -> None:
    """Listen until all have ended; for a short while only where one failed or all should stop."""
    asked, deadline = False, math.inf
    while not all(member.ended for member in members) and time.monotonic() < deadline:
        wait([m.connection for m in members if m.speaks and not m.ended], SECONDS_BETWEEN_LOOKS)
        for member in members:
            member.listen(progress)
        if any(m.failure is not None and m.failure.kind < _Kind.STOPPED for m in members):
            deadline = min(deadline, time.monotonic() + SECONDS_TO_EXPLAIN)
        if stop.is_set() and not asked:
            asked, deadline = True, min(deadline, time.monotonic() + SECONDS_TO_SAVE)
            members[0].ask_to_stop()


class _Kind(IntEnum):
    """Kinds of failures; where several come together, the lower is the cause of the others."""

    EXPLAINED = 0
    DIED = 1
    UNEXPECTED = 2
    LOST_THE_OTHERS = 3
    STOPPED = 4


@dataclass(frozen=True)
class _Failure:
    kind: _Kind
    error: BaseException
    moment: float  # by the clock that the processes of a machine share


class _Member:
    """A process of the training, as the launching one sees it."""

    def __init__(self, work: Work[Any], task: Any, ranks: Ranks) -> None:
        context = multiprocessing.get_context("spawn")  # CUDA and threads do not survive a fork
        self.ranks = ranks
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_run, args=(work, task, ranks, theirs))
        self.process.start()
        theirs.close()
        self.speaks, self.ended = True, False
        self.failure: _Failure | None = None

    def listen(self, progress: Progress | None) -> None:
        """Take note of what the process says, and of its end."""
        if self.ended:
            return
        # Asked for before the last words are read. Processes that prepare batches hold copies of
        # its connections, so that their closing would come late.
        code = self.process.exitcode
        try:
            while self.speaks and self.connection.poll():
                self._hear(self.connection.recv(), progress)
        except (EOFError, OSError):
            self.speaks = False
        if code is not None and not self.ended:
            error = UnavailableError(_exit_message(self.ranks, code))
            self.ended, self.failure = True, _Failure(_Kind.DIED, error, time.monotonic())

    def _hear(self, message: Any, progress: Progress | None) -> None:
        if isinstance(message, logging.LogRecord):
            logging.getLogger(message.name).handle(message)
        elif message is None or isinstance(message, _Failure):
            self.ended, self.failure = True, message
        elif progress is not None:
            progress(*message)

    def ask_to_stop(self) -> None:
        """Have the process save and stop; it looks whether there is a message, not at it."""
        try:
            self.connection.send("stop")
        except OSError:
            self.speaks = False

    def end(self) -> None:
        """See the process out, or kill it."""
        if self.ended:
            self.process.join(SECONDS_TO_EXPLAIN)
        self.process.kill()
        self.process.join()
        self.connection.close()


def _exit_message(ranks: Ranks, code: int) -> str:
    which = f"Process {ranks.rank + 1} of {ranks.size} of the training, on {ranks.device},"
    if code >= 0:
        return f"{which} ended with code {code}, and the others with it. {AGAIN}"
    name = signal.Signals(-code).name
    why = {
        signal.SIGKILL: ", most likely because memory ran out",
        signal.SIGABRT: ", as NCCL does when another one does not answer",
    }.get(signal.Signals(-code), "")
    return f"{which} was killed ({name}){why}. The others were ended with it. {AGAIN}"


def _run(work: Work[Any], task: Any, ranks: Ranks, connection: Connection) -> None:
    """Do the work in one of the processes, and say what became of it."""
    tie_to_parent()
    _log_to(connection if ranks.rank == 0 else None)
    stop = SimpleNamespace(is_set=connection.poll)
    progress = (lambda *now: connection.send(now)) if ranks.rank == 0 else None
    last_word: _Failure | None = None
    try:
        if ranks.device.type == "cuda":
            torch.cuda.set_device(ranks.device)
        with quiet():
            work(task, ranks, stop, progress)
    except StoppedError as error:
        last_word = _Failure(_Kind.STOPPED, error, time.monotonic())
    except SynthTumourError as error:
        last_word = _Failure(_Kind.EXPLAINED, error, time.monotonic())
    except Exception as error:  # noqa: BLE001 - handed on
        last_word = _unexpected(error, ranks)
    connection.send(last_word)
    # After the last word, so that nobody waits for a process that hangs here. All ranks come here
    # together, or else they are ended.
    if last_word is None or last_word.kind is _Kind.STOPPED:
        ranks.leave()


def _unexpected(error: Exception, ranks: Ranks) -> _Failure:
    if isinstance(error, dist.DistError) or "gloo" in str(error):
        LOGGER.debug("process %d lost the others", ranks.rank, exc_info=error)
        lost = UnavailableError(
            f"The {ranks.size} processes of the training lost each other: one of them does not "
            f"answer ({str(error).splitlines()[0]}). {AGAIN}"
        )
        return _Failure(_Kind.LOST_THE_OTHERS, lost, time.monotonic())
    trace = "".join(traceback.format_exception(error))
    wrapped = RuntimeError(f"process {ranks.rank + 1} of {ranks.size}, {ranks.device}:\n{trace}")
    return _Failure(_Kind.UNEXPECTED, wrapped, time.monotonic())


def _log_to(connection: Connection | None) -> None:
    """Send this package's log lines to the launching process, or nowhere."""
    logger = logging.getLogger("synthtumour_bids")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    handler: logging.Handler = logging.NullHandler()
    if connection is not None:
        queue: Any = SimpleNamespace(put_nowait=connection.send)
        handler = QueueHandler(queue)
    logger.addHandler(handler)
