"""Run one function over many items, in this process, in several, or on a Dask cluster.

Results come back in the order of the items and are the same in each case; an item that fails
does not stop the others.
"""

from __future__ import annotations

import logging
import multiprocessing
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from synthtumour_bids.errors import StoppedError, SynthTumourError, UnavailableError
from synthtumour_bids.execution.progress import Progress

LOGGER = logging.getLogger("synthtumour_bids")
Item = TypeVar("Item")
Value = TypeVar("Value")

KILLED = (
    "the worker process was killed, most often because memory ran out; "
    "use fewer processes (--nprocs) or tell the limit (--mem)."
)


@dataclass(frozen=True)
class Result(Generic[Item, Value]):
    """What became of one item: a value, or the sentence and the trace of what went wrong."""

    item: Item
    value: Value | None = None
    error: str = ""
    trace: str = ""

    @property
    def failed(self) -> bool:
        """Whether the item failed."""
        return bool(self.error)


def attempt(function: Callable[[Item], Value], item: Item) -> Result[Item, Value]:
    """Call ``function`` on one item and turn an exception into a failed result."""
    try:
        return Result(item, function(item))
    except StoppedError:
        raise
    except SynthTumourError as error:
        return Result(item, error=str(error), trace=traceback.format_exc())
    except MemoryError:
        return Result(item, error=KILLED, trace=traceback.format_exc())
    except Exception as error:  # noqa: BLE001 - one bad scan never stops the others
        sentence = f"{type(error).__name__}: {error}"
        return Result(item, error=sentence, trace=traceback.format_exc())


@contextmanager
def _executor(nprocs: int, scheduler: str | None) -> Iterator[Executor]:
    if scheduler is not None:
        with _dask_executor(scheduler) as executor:
            yield executor
        return
    # Not fork: ITK and torch have threads that do not survive it.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(nprocs, mp_context=context)
    try:
        yield executor
    except BaseException:
        # A stopped run must not leave workers behind that go on writing.
        workers = list(multiprocessing.active_children())
        executor.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()
        raise
    executor.shutdown(wait=True)


@contextmanager
def _dask_executor(scheduler: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError as error:
        msg = "--dask-scheduler needs the dask extra: pip install 'synthtumour-bids[dask]'."
        raise UnavailableError(msg) from error
    try:
        client = Client(address=scheduler, timeout="20s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        msg = f"--dask-scheduler {scheduler}: no scheduler answered there within 20 s ({error})."
        raise UnavailableError(msg) from error
    with client:
        yield client.get_executor(pure=False)


def map_items(
    function: Callable[[Item], Value],
    items: Sequence[Item],
    *,
    nprocs: int = 1,
    scheduler: str | None = None,
    label: str = "",
    describe: Callable[[Item], str] = str,
    stop_on_failure: bool = False,
) -> list[Result[Item, Value]]:
    """Apply ``function`` to every item.

    Parameters
    ----------
    function
        Picklable; raises to say that an item failed.
    items
        Picklable.
    nprocs
        Processes; 1 works in this process.
    scheduler
        Address of a Dask scheduler to use instead of local processes.
    label, describe
        Words for the progress lines.
    stop_on_failure
        Give up the rest after the first failure.

    Returns
    -------
    One result an item, in the order of the items; those given up are left out.
    """
    results: dict[int, Result[Item, Value]] = {}
    with Progress(label, len(items)) as progress:

        def note(index: int, result: Result[Item, Value]) -> bool:
            results[index] = result
            progress.advance(describe(result.item))
            if result.failed:
                LOGGER.error("%s: %s", describe(result.item), result.error)
            return stop_on_failure and result.failed

        if scheduler is None and (nprocs == 1 or len(items) < 2):
            for index, item in enumerate(items):
                if note(index, attempt(function, item)):
                    break
        else:
            _map_in_pool(function, items, nprocs, scheduler, note)
    return [results[index] for index in sorted(results)]


def _map_in_pool(
    function: Callable[[Item], Value],
    items: Sequence[Item],
    nprocs: int,
    scheduler: str | None,
    note: Callable[[int, Result[Item, Value]], bool],
) -> None:
    broken: list[int] = []
    with _executor(min(nprocs, len(items)), scheduler) as executor:
        futures: dict[Future[Result[Item, Value]], int] = {
            executor.submit(attempt, function, item): index for index, item in enumerate(items)
        }
        for future in as_completed(futures):
            index = futures[future]
            try:
                result = future.result()
            except BrokenProcessPool:
                broken.append(index)
                continue
            if note(index, result):
                for other in futures:
                    other.cancel()
                return
    # A killed worker takes its innocent neighbours with it: each is tried again alone.
    for index in sorted(broken):
        with _executor(1, None) as executor:
            future = executor.submit(attempt, function, items[index])
            try:
                result = future.result()
            except BrokenProcessPool:
                result = Result(items[index], error=KILLED)
        if note(index, result):
            return
