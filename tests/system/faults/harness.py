"""Run the app, do something bad to it at a moment, take the cause away, and let it end."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

SECONDS_TO_END = 120
ROOT = Path(__file__).resolve().parents[3]
SEMAPHORES = Path("/dev/shm")
MEMORY_LIMIT = 50_000_000  # bytes of address space: less than anything has


@dataclass(frozen=True)
class Fault:
    """What happens, and the words of the log at which it does."""

    kind: str
    moment: str


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
    """

    command: Sequence[str]
    out: Path
    work: Path
    scan: Path


@dataclass(frozen=True)
class Ended:
    """How a run ended that something had been done to.

    Attributes
    ----------
    code
        Its exit code, or minus the signal's number.
    words
        What it said.
    orphans
        Processes that were still there long after.
    """

    code: int
    words: str
    orphans: tuple[int, ...]


Cure = Callable[[], object]


def _kill(number: int) -> Callable[[Run, psutil.Process], Cure]:
    def inflict(run: Run, process: psutil.Process) -> Cure:
        process.send_signal(number)
        return lambda: None

    return inflict


def _limit_memory(run: Run, process: psutil.Process) -> Cure:
    for one in (process, *process.children(recursive=True)):
        resource.prlimit(one.pid, resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    return lambda: None


def _hide_scan(run: Run, process: psutil.Process) -> Cure:
    away = run.out.parent / "away"
    run.scan.rename(away)
    return lambda: away.rename(run.scan)


def _remove_output(run: Run, process: psutil.Process) -> Cure:
    run.out.rename(run.out.with_name("removed"))
    return lambda: None


def _fill_disk(run: Run, process: psutil.Process) -> Cure:
    used = sum(p.stat().st_blocks * 512 for p in run.out.rglob("*") if p.is_file())
    _mount("-o", f"remount,size={used + 65536}", str(run.out))
    return lambda: _mount("-o", "remount,size=2G", str(run.out))


def _make_read_only(run: Run, process: psutil.Process) -> Cure:
    _mount("--bind", str(run.out), str(run.out))
    _mount("-o", "remount,bind,ro", str(run.out))
    return lambda: subprocess.run(["umount", str(run.out)], check=True)


FAULTS: Mapping[str, Callable[[Run, psutil.Process], Cure]] = {
    "SIGKILL": _kill(signal.SIGKILL),
    "SIGTERM": _kill(signal.SIGTERM),
    "memory limit": _limit_memory,
    "input removed": _hide_scan,
    "output removed": _remove_output,
    "disk full": _fill_disk,
    "read-only": _make_read_only,
}
NEED_A_MOUNT = ("disk full", "read-only")


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


@contextmanager
def own_disk(folder: Path) -> Iterator[None]:
    """Make a folder a file system of its own, which takes root."""
    folder.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", "size=2G", "tmpfs", str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def _started(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.builders.short", *command],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


def suffer(run: Run, fault: Fault) -> Ended:
    """Run until the fault, see it end, and take the cause away.

    Raises
    ------
    AssertionError
        When the moment never came.
    """
    cure: Cure | None = None
    others: list[psutil.Process] = []
    words: list[str] = []
    with _started(run.command) as process:
        assert process.stderr is not None
        for line in process.stderr:
            words.append(line)
            if cure is None and fault.moment in line:
                others = psutil.Process(process.pid).children(recursive=True)
                cure = FAULTS[fault.kind](run, psutil.Process(process.pid))
        code = process.wait(SECONDS_TO_END)
    assert cure is not None, f"the log never said {fault.moment!r}:\n{''.join(words)}"
    _, alive = psutil.wait_procs(others, timeout=30)
    cure()
    return Ended(
        code,
        "".join(words),
        tuple(one.pid for one in alive if one.status() != psutil.STATUS_ZOMBIE),
    )


def finish(run: Run) -> int:
    """Run the same command to its end."""
    with _started(run.command) as process:
        assert process.stderr is not None
        process.stderr.read()
        return process.wait()


def results(out: Path) -> dict[str, str]:
    """Hashes of what must not differ: images and tables, by their paths in the output."""
    paths = [*out.rglob("sub-*/**/*.nii.gz"), *out.rglob("*.tsv")]
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(paths)
        if not path.name.startswith(".")
    }


def left_over(run: Run) -> list[str]:
    """What only a run that still works may have: temporary files and folders."""
    hidden = [path for path in run.out.rglob(".*") if path.name.startswith(".tmp-")]
    return sorted(map(str, [*hidden, *run.work.rglob("tmp-*"), *run.work.rglob(".tmp-*")]))


def semaphores() -> set[Path]:
    """Semaphores of all processes; those of a run that ended go within moments."""
    return set(SEMAPHORES.glob("sem.*")) if SEMAPHORES.is_dir() else set()


def wait_for(true: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether something comes true in time."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def may_mount() -> bool:
    """Whether faults of a disk can be made here."""
    return os.geteuid() == 0
