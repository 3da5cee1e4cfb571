"""What must hold of a Dask cluster before it gets work: its scheduler, versions, and folders."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from synthtumour_bids.errors import UnavailableError

CONNECT_SECONDS = 10
PACKAGE = "synthtumour-bids"


def scheduler_address(given: str) -> str:
    """Read a scheduler file; leave an address as it is."""
    if "://" in given or not given.endswith(".json"):
        return given
    try:
        return str(json.loads(Path(given).read_text())["address"])
    except OSError as error:
        msg = f"--dask-scheduler {given}: no such scheduler file can be read ({error.strerror})."
        raise UnavailableError(msg) from error
    except (ValueError, KeyError, TypeError) as error:
        msg = f"--dask-scheduler {given}: looked for a JSON file with an address, found none."
        raise UnavailableError(msg) from error


def check_scheduler_responds(address: str) -> None:
    """Ask what is there; Dask's client alone would wait for ever for another kind of server.

    Raises
    ------
    OSError, TimeoutError, ValueError
        When it is no scheduler.
    """
    asyncio.run(asyncio.wait_for(_ask(address), CONNECT_SECONDS))


async def _ask(address: str) -> None:
    from distributed.core import rpc
    from distributed.security import Security

    arguments = Security().get_connection_args("client")
    async with rpc(address, timeout=CONNECT_SECONDS, connection_args=arguments) as scheduler:
        identity = await scheduler.identity()
    if identity["type"] != "Scheduler":
        msg = f"a {identity['type']} is there"
        raise ValueError(msg)


def check_versions(client: Any) -> None:
    """Refuse workers with another Python or another version of this package."""
    versions = client.get_versions(packages=[PACKAGE])
    ours = _versions(versions["client"])
    for address, content in sorted(versions["workers"].items()):
        check_worker_versions(address, ours, _versions(content))


def _versions(content: Mapping[str, Any]) -> dict[str, str]:
    packages = content["packages"]
    return {
        "Python": ".".join(packages["python"].split(".")[:2]),
        PACKAGE: packages[PACKAGE] or "not installed",
    }


def check_worker_versions(address: str, ours: Mapping[str, str], theirs: Mapping[str, str]) -> None:
    """Compare versions by name.

    Raises
    ------
    UnavailableError
        Naming the first that differs, here and there.
    """
    for name, version in ours.items():
        if theirs[name] != version:
            msg = (
                f"The Dask worker {address} has {name} {theirs[name]}, but this run has {name} "
                f"{version}. Start workers from the same environment or container as the run."
            )
            raise UnavailableError(msg)


def unseen(paths: Sequence[Path]) -> list[str]:
    """Those of some paths that are not there; runs on the workers."""
    return [str(path) for path in paths if not path.exists()]


def check_paths(client: Any, token: Path, paths: Sequence[Path]) -> None:
    """Refuse workers that do not see a file just made in the work folder, or other paths."""
    missing = client.run(unseen, [token, *paths], on_error="return")
    for address, names in sorted(missing.items()):
        if isinstance(names, Exception):
            msg = f"The Dask worker {address} cannot work: {type(names).__name__}: {names}."
            raise UnavailableError(msg)
        if str(token) in names:
            msg = (
                f"The Dask worker {address} does not see the work folder {token.parent}. Choose "
                "one on a file system that all workers share (--work-dir), and in a container "
                "mount it under the same name everywhere."
            )
            raise UnavailableError(msg)
        if names:
            msg = (
                f"The Dask worker {address} does not see {', '.join(names)}. Input and output "
                "must lie on a file system that all workers share, in a container under the same "
                "names everywhere."
            )
            raise UnavailableError(msg)
