"""Processes that work for a run, and stay from one map to the next: starting them takes seconds."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess

from synthtumour_bids.execution.child import kill_children, tie_to_parent


class _Worker(SpawnProcess):
    """Takes no SIGTERM (`tie_to_parent`), which Python ends workers with after one has died.

    The dead one may have held the lock that the others wait for, and they would do so for ever.
    """

    def terminate(self) -> None:
        self.kill()


class _Spawn(SpawnContext):  # not fork: ITK and torch have threads that do not survive it
    Process = _Worker


class Workers:
    """Processes that are started when there is work for them, and end with the block.

    They end at once with an exception, and with this process however it ends: a stopped run must
    not leave any behind that go on writing.
    """

    def __init__(self) -> None:
        self._executor: ProcessPoolExecutor | None = None
        self._number = 0

    def __enter__(self) -> Workers:
        """Start none yet."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End those that there are."""
        if kind is None:
            self.end()
        else:
            self.kill()

    @property
    def are_there(self) -> bool:
        """Whether any have been started, with libraries loaded that this process may lack."""
        return self._executor is not None

    @contextmanager
    def at_work(self, number: int) -> Iterator[ProcessPoolExecutor]:
        """Give up to so many for the block, those of the last one where it had as many."""
        if self._executor is None or self._number != number:
            self.end()
            self._number = number
            self._executor = ProcessPoolExecutor(number, _Spawn(), initializer=tie_to_parent)
        try:
            yield self._executor
        except BaseException:
            self.kill()
            raise

    def end(self) -> None:
        """Let them finish and go: whoever needs much memory in this process says so first."""
        if self._executor is not None:
            self._executor.shutdown()
            self._executor = None

    def kill(self) -> None:
        """Let them finish nothing."""
        if self._executor is None:
            return
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = None
        kill_children()
