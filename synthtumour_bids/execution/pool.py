"""Run one function over many items, in this process, in several, or on a Dask cluster.

Results come back in the order of the items and are the same in each case; an item that fails
does not stop the others.
"""

from __future__ import annotations

import logging
import multiprocessing
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.execution.ahead import loaded_ahead
from synthtumour_bids.execution.attempt import (
    KILLED,
    Answer,
    Item,
    Result,
    Value,
    attempt,
    attempt_in_worker,
)
from synthtumour_bids.execution.cluster import Cluster, map_on_cluster
from synthtumour_bids.execution.progress import Progress
from synthtumour_bids.execution.workers import Workers

__all__ = ["KILLED", "Result", "map_items"]

LOGGER = logging.getLogger("synthtumour_bids")


def map_items(
    function: Callable[[Item], Value],
    items: Sequence[Item],
    *,
    nprocs: int = 1,
    workers: Workers | None = None,
    cluster: Cluster | None = None,
    label: str = "",
    describe: Callable[[Item], str] = str,
    stop_on_failure: bool = False,
    ahead: Sequence[str] = (),
) -> list[Result[Item, Value]]:
    """Apply ``function`` to every item.

    Parameters
    ----------
    function
        Picklable; raises to say that an item failed.
    items
        Picklable.
    nprocs
        Processes; 1 works in this process, as a single item does where no other is there.
    workers
        Those that other maps have begun with, or will go on with; left out, there are some for
        this map alone.
    cluster
        Dask cluster to use instead of local processes.
    label, describe
        Words for the progress lines.
    stop_on_failure
        Give up the rest after the first failure.
    ahead
        Modules that this process needs later. It loads them while other processes work, of which
        there is one even for a single item then.

    Returns
    -------
    One result per item, in the order of the items; those given up are left out.

    Raises
    ------
    UnavailableError
        When the disk takes nothing more: what fails for one item would fail for all.
    """
    results: dict[int, Result[Item, Value]] = {}
    fewest = 1 if ahead or (workers is not None and workers.are_there) else 2
    with Progress(label, len(items)) as progress:

        def note(index: int, result: Result[Item, Value]) -> bool:
            results[index] = result
            progress.advance(describe(result.item))
            if result.disk:
                msg = f"{describe(result.item)}: {result.error}. {result.disk}"
                raise UnavailableError(msg)
            if result.failed:
                LOGGER.error("%s: %s", describe(result.item), result.error)
            return stop_on_failure and result.failed

        if cluster is not None and items:
            map_on_cluster(cluster, function, items, note)
        elif nprocs == 1 or len(items) < fewest or not processes_can_talk():
            for index, item in enumerate(items):
                if note(index, attempt(function, item)):
                    break
        else:
            lasting = nullcontext(workers) if workers is not None else Workers()
            with loaded_ahead(ahead), lasting as there:
                _map_among(there, function, items, nprocs, note)
    return [results[index] for index in sorted(results)]


def processes_can_talk() -> bool:
    """Whether processes can share a lock, which takes a shared memory folder (``/dev/shm``)."""
    try:
        multiprocessing.get_context("spawn").Lock()
    except (OSError, ImportError) as error:
        LOGGER.warning(
            "Several processes cannot work together on this machine (%s; is /dev/shm there and "
            "writable?): one does all the work.",
            error,
        )
        return False
    return True


def _map_among(
    workers: Workers,
    function: Callable[[Item], Value],
    items: Sequence[Item],
    nprocs: int,
    note: Callable[[int, Result[Item, Value]], bool],
) -> None:
    to_do = deque(enumerate(items))
    while to_do:
        with workers.at_work(nprocs) as executor:
            suspects = _until_one_dies(executor, function, to_do, nprocs, note)
        if suspects or to_do:
            workers.end()
        # A killed worker takes its innocent neighbours with it: each is tried again alone.
        for index, item in suspects:
            with Workers() as alone, alone.at_work(1) as executor:
                try:
                    result = executor.submit(attempt_in_worker, function, item).result().unpack()
                except BrokenProcessPool:
                    result = Result(item, error=KILLED)
            if note(index, result):
                return


def _until_one_dies(
    executor: Executor,
    function: Callable[[Item], Value],
    to_do: deque[tuple[int, Item]],
    nprocs: int,
    note: Callable[[int, Result[Item, Value]], bool],
) -> list[tuple[int, Item]]:
    """Take items and work on them, as many at once as there are processes.

    Returns
    -------
    Those that were worked on when a process died. What nobody had begun stays in `to_do`, unless
    `note` says to give up.
    """
    suspects: list[tuple[int, Item]] = []
    at_work: dict[Future[Answer[Item, Value]], tuple[int, Item]] = {}
    while to_do or at_work:
        while to_do and len(at_work) < nprocs:
            try:
                future = executor.submit(attempt_in_worker, function, to_do[0][1])
            except BrokenProcessPool:  # one was killed, maybe since the map before
                break
            at_work[future] = to_do.popleft()
        if not at_work:
            break
        for future in wait(at_work, return_when=FIRST_COMPLETED).done:
            index, item = at_work.pop(future)
            try:
                result = future.result().unpack()
            except BrokenProcessPool:
                suspects.append((index, item))
                continue
            if note(index, result):
                to_do.clear()
                wait(at_work)
                return []
    return sorted(suspects, key=lambda one: one[0])
