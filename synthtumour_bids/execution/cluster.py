"""The per-scan work on a Dask cluster that runs already (``--dask-scheduler``)."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.execution.attempt import Answer, Item, Result, Value
from synthtumour_bids.execution.child import Call, run_in_child
from synthtumour_bids.execution.cluster_checks import (
    CONNECT_SECONDS,
    check_paths,
    check_scheduler_responds,
    check_versions,
    scheduler_address,
)
from synthtumour_bids.execution.progress import describe_seconds
from synthtumour_bids.execution.resources import thread_variables

LOGGER = logging.getLogger(__name__)
SECONDS_BETWEEN_LOOKS = 5.0
KEPT = "What is done is kept: run the same command again to continue."
DIED = (
    "the Dask workers that ran it died again and again; their logs say why (most often memory or "
    "a time limit of the queue)."
)


@dataclass(frozen=True)
class Cluster:
    """A Dask cluster, and what its workers need.

    Attributes
    ----------
    address
        ``tcp://host:port``, or the path of a scheduler file.
    work_dir
        Folder that this process and all workers can write to.
    paths
        Files and folders that the workers must see under the same names.
    omp_nthreads
        Threads of one process.
    patience
        How long to wait for workers, s.
    """

    address: str
    work_dir: Path
    paths: tuple[Path, ...] = ()
    omp_nthreads: int = 1
    patience: float = 120.0

    def check(self) -> None:
        """Look whether the cluster can do the work.

        Raises
        ------
        UnavailableError
            No scheduler, no workers, other versions, or folders that workers do not see.
        """
        with _connect(self):
            pass


def map_on_cluster(
    cluster: Cluster,
    function: Callable[[Item], Value],
    items: Sequence[Item],
    note: Callable[[int, Result[Item, Value]], bool],
) -> None:
    """Apply ``function`` to every item on the cluster, and ``note`` each result as it comes.

    Parameters
    ----------
    note
        Gets an item's index and result; returns true to give up the rest.

    Raises
    ------
    UnavailableError
        See :meth:`Cluster.check`; also when the cluster goes away during the work.
    """
    with _connect(cluster) as (client, token):
        call = Call(function, token, _environment(cluster))
        executor = client.get_executor(pure=False)
        futures = {
            executor.submit(run_in_child, call, item): index for index, item in enumerate(items)
        }
        died = _collect(cluster, client, futures, items, note)
        # A worker takes the items that wait on it with it: each is tried again alone.
        for index in died or ():
            again = {executor.submit(run_in_child, call, items[index]): index}
            died_again = _collect(cluster, client, again, items, note)
            if died_again is None or (died_again and note(index, Result(items[index], error=DIED))):
                return


def _collect(
    cluster: Cluster,
    client: Any,
    futures: Mapping[Future[Answer[Item, Value]], int],
    items: Sequence[Item],
    note: Callable[[int, Result[Item, Value]], bool],
) -> list[int] | None:
    """Note results as they come.

    Returns
    -------
    Indices of the items whose workers died; ``None`` when the rest was given up.
    """
    from distributed import KilledWorker

    died: list[int] = []
    pending: Collection[Future[Answer[Item, Value]]] = futures
    while pending:
        done, pending = wait(pending, SECONDS_BETWEEN_LOOKS, FIRST_COMPLETED)
        if not done:
            _wait_for_workers(cluster, client)
        for future in sorted(done, key=lambda future: futures[future]):
            index = futures[future]
            try:
                result = future.result().unpack()
            except KilledWorker:
                died.append(index)
                continue
            except CancelledError:
                raise _gone(cluster) from None
            except Exception as error:  # noqa: BLE001 - the worker could not even start the item
                result = Result(items[index], error=f"{type(error).__name__}: {error}")
            if note(index, result):
                return None
    return died


@contextmanager
def _connect(cluster: Cluster) -> Iterator[tuple[Any, Path]]:
    """Connect to the scheduler, check its workers, and give client and token file."""
    try:
        from distributed import Client
    except ImportError as error:
        msg = (
            "--dask-scheduler needs the dask extra: run pip install '.[dask]' in a clone of the "
            "repository, or use the container image."
        )
        raise UnavailableError(msg) from error
    address = scheduler_address(cluster.address)
    with _quiet_dask():
        try:
            check_scheduler_responds(address)
            client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            msg = (
                f"--dask-scheduler {cluster.address}: no Dask scheduler answered there within "
                f"{CONNECT_SECONDS} s ({str(error) or 'silence'}). Start one (dask scheduler), or "
                "leave the flag out to work on this machine."
            )
            raise UnavailableError(msg) from error
        token = cluster.work_dir / f".dask-{secrets.token_hex(8)}"
        with client:
            try:
                token.parent.mkdir(parents=True, exist_ok=True)
                token.touch()
                _wait_for_workers(cluster, client)
                check_versions(client)
                check_paths(client, token, cluster.paths)
                yield client, token
            finally:
                token.unlink(missing_ok=True)  # tells the workers to stop what still runs


@contextmanager
def _quiet_dask() -> Iterator[None]:
    """Drop Dask's own log lines: what goes wrong is said in sentences."""
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _environment(cluster: Cluster) -> dict[str, str | None]:
    """Variables that results depend on."""
    template_home = {"TEMPLATEFLOW_HOME": os.environ.get("TEMPLATEFLOW_HOME")}
    return {**thread_variables(cluster.omp_nthreads), **template_home}


def _gone(cluster: Cluster) -> UnavailableError:
    return UnavailableError(f"--dask-scheduler {cluster.address}: the cluster went away. {KEPT}")


def _wait_for_workers(cluster: Cluster, client: Any) -> None:
    try:
        if client.nthreads():
            return
        LOGGER.warning(
            "The Dask cluster at %s has no workers; waiting for up to %s.",
            cluster.address,
            describe_seconds(cluster.patience),
        )
        client.wait_for_workers(1, timeout=cluster.patience)
    except TimeoutError:
        msg = (
            f"--dask-scheduler {cluster.address}: the cluster had no workers for "
            f"{describe_seconds(cluster.patience)}. Start some (dask worker {cluster.address}; "
            f"a queue may hold them back). {KEPT}"
        )
        raise UnavailableError(msg) from None
    except (OSError, RuntimeError, ValueError) as error:
        raise _gone(cluster) from error
