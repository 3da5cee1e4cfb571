"""What can go wrong with a run: how each kind of fault is inflicted, and taken away again."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import psutil

from tests.execution.test_dask import running

# Bytes of address space besides those that a process has: without any, Python cannot start threads
# and waits for them for ever.
MEMORY_LEFT = 64_000_000
FAULTY_DISK = Path(__file__).with_name("faulty_disk")


@dataclass(frozen=True)
class Run:
    """One command and the places it works at.

    Attributes
    ----------
    command
        Arguments of the app.
    out, work
        Output and work folder.
    scan
        A file of the input that may be taken away for a while.
    environment
        Variables of its processes, besides those of this one.
    workers
        Processes of a cluster that work for it.
    """

    command: Sequence[str]
    out: Path
    work: Path
    scan: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    workers: Sequence[int] = ()


Cure = Callable[[], object]
Inflict = Callable[[Run, psutil.Process], Cure]


@dataclass(frozen=True)
class Kind:
    """One way in which things go wrong.

    Attributes
    ----------
    inflict
        Does it to a run and its main process; gives what takes the cause away.
    around
        Prepares a run for it, from before its start until it was finished.
    possible
        Whether it can be done here.
    """

    inflict: Inflict
    around: Callable[[Run], AbstractContextManager[Run]] = nullcontext
    possible: Callable[[], bool] = lambda: True


def _nothing() -> None:
    pass


def _send(number: int) -> Inflict:
    def inflict(run: Run, process: psutil.Process) -> Cure:
        process.send_signal(number)
        return _nothing

    return inflict


def _limit_memory(run: Run, process: psutil.Process) -> Cure:
    for one in (process, *process.children(recursive=True)):
        limit = one.memory_info().vms + MEMORY_LEFT
        resource.prlimit(one.pid, resource.RLIMIT_AS, (limit, limit))
    return _nothing


def _kill_child(run: Run, process: psutil.Process) -> Cure:
    """Kill the process that has used most memory of those that work for the run."""
    children = process.children(recursive=True)
    if children:
        max(children, key=lambda child: child.memory_info().rss).kill()
    return _nothing


def _kill_workers(run: Run, process: psutil.Process) -> Cure:
    """Kill what the nannies of a Dask cluster watch over: they start it anew."""
    for number in run.workers:
        for child in psutil.Process(number).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
    return _nothing


def _hide_scan(run: Run, process: psutil.Process) -> Cure:
    away = run.out.parent / "away"
    run.scan.rename(away)
    return lambda: away.rename(run.scan)


def _remove_output(run: Run, process: psutil.Process) -> Cure:
    run.out.rename(run.out.with_name("removed"))
    return _nothing


def _fill_disk(run: Run, process: psutil.Process) -> Cure:
    used = sum(p.stat().st_blocks * 512 for p in run.out.rglob("*") if p.is_file())
    _mount("-o", f"remount,size={used + 65536}", str(run.out))
    return lambda: _mount("-o", "remount,size=2G", str(run.out))


def _make_read_only(run: Run, process: psutil.Process) -> Cure:
    _mount("--bind", str(run.out), str(run.out))
    _mount("-o", "remount,bind,ro", str(run.out))
    return lambda: subprocess.run(["umount", str(run.out)], check=True)


def _let_writes_fail(number: int) -> Inflict:
    def inflict(run: Run, process: psutil.Process) -> Cure:
        sign = Path(run.environment["FAULTY_DISK_SIGN"])
        whole = sign.with_suffix(".new")
        whole.write_text(str(number))
        whole.rename(sign)
        return sign.unlink

    return inflict


@contextmanager
def _own_disk(run: Run) -> Iterator[Run]:
    """Make the output folder a file system of its own."""
    run.out.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", "size=2G", "tmpfs", str(run.out))
    try:
        yield run
    finally:
        subprocess.run(["umount", "--lazy", str(run.out)], check=True)


@contextmanager
def faulty_disk(run: Run) -> Iterator[Run]:
    """Let writes in the output folder pass through where they can be made to fail."""
    others = os.environ.get("PYTHONPATH")
    variables = {
        "PYTHONPATH": os.pathsep.join([str(FAULTY_DISK), *([others] if others else [])]),
        "FAULTY_DISK_FOLDER": str(run.out),
        "FAULTY_DISK_SIGN": str(run.out.with_name(f"{run.out.name}-fault")),
    }
    yield replace(run, environment={**run.environment, **variables})


@contextmanager
def _on_cluster(run: Run) -> Iterator[Run]:
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), n_workers=2) as cluster,
    ):
        command = [*run.command, "--dask-scheduler", str(cluster.file)]
        _, *workers = (process.pid for process in cluster.processes)
        yield replace(run, command=command, workers=workers)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


@cache
def may_mount() -> bool:
    """Whether this process may mount file systems: root may, but not in every container."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            _mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", folder)
        except (OSError, subprocess.CalledProcessError):
            return False
        subprocess.run(["umount", folder], check=True)
    return True


KINDS: Mapping[str, Kind] = {
    "SIGKILL": Kind(_send(signal.SIGKILL)),
    "SIGTERM": Kind(_send(signal.SIGTERM)),
    "memory limit": Kind(_limit_memory),
    "child killed": Kind(_kill_child),
    "Dask workers killed": Kind(_kill_workers, _on_cluster),
    "input removed": Kind(_hide_scan),
    "output removed": Kind(_remove_output),
    "disk full": Kind(_fill_disk, _own_disk, may_mount),
    "read-only": Kind(_make_read_only, _own_disk, may_mount),
    "writes fail: disk full": Kind(_let_writes_fail(errno.ENOSPC), faulty_disk),
    "writes fail: read-only": Kind(_let_writes_fail(errno.EROFS), faulty_disk),
}
