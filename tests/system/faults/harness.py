"""Run the app, do something bad to it at a moment, take the cause away, and let it end."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.builders.semaphores import semaphores_of
from tests.system.faults.kinds import KINDS, Cure, Run

SECONDS_TO_END = 900  # of a run that something was done to; some go on
ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Fault:
    """What happens, and the words of the log at which it does."""

    kind: str
    moment: str


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes
    ----------
    code
        Its exit code, or minus the signal's number.
    words
        What it said.
    orphans
        Processes that were still there long after.
    semaphores
        Of its processes, that were.
    """

    code: int
    words: str
    orphans: tuple[int, ...] = ()
    semaphores: tuple[Path, ...] = ()


@contextmanager
def _started(run: Run, *more: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.builders.short", *run.command, *more],
        cwd=ROOT,
        env={**os.environ, **run.environment},
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
        When the moment never came, or the run did not end.
    """
    cure: Cure | None = None
    hung = threading.Event()
    others: list[psutil.Process] = []
    words: list[str] = []
    theirs: set[Path] = set()
    with _started(run) as process:
        assert process.stderr is not None
        for line in process.stderr:
            words.append(line)
            if cure is None and fault.moment in line:
                main = psutil.Process(process.pid)
                others = main.children(recursive=True)
                theirs = semaphores_of((main, *others))
                cure = KINDS[fault.kind].inflict(run, main)
                give_up = threading.Timer(SECONDS_TO_END, _give_up, (process, hung))
                give_up.daemon = True
                give_up.start()
        code = process.wait()
    assert cure is not None, f"the log never said {fault.moment!r}:\n{''.join(words)}"
    give_up.cancel()
    assert not hung.is_set(), f"it did not end within {SECONDS_TO_END} s of {fault}"
    _, alive = psutil.wait_procs(others, timeout=30)
    cure()
    return Ended(
        code,
        "".join(words),
        tuple(one.pid for one in alive if one.status() != psutil.STATUS_ZOMBIE),
        _left(theirs),
    )


def _give_up(process: subprocess.Popen[str], hung: threading.Event) -> None:
    hung.set()
    process.kill()


def _left(semaphores: set[Path]) -> tuple[Path, ...]:
    """Those that are there for longer than the last process of a run takes to remove them."""
    wait_for(lambda: not any(one.exists() for one in semaphores))
    return tuple(sorted(one for one in semaphores if one.exists()))


def finish(run: Run, *more: str) -> Ended:
    """Run the same command to its end, with more arguments where there are any."""
    with _started(run, *more) as process:
        assert process.stderr is not None
        words = process.stderr.read()
        return Ended(process.wait(), words)


def results(out: Path) -> dict[str, str]:
    """Hashes of what must not differ: images and tables, by their paths in the output.

    What a run tells of itself, under ``logs``, is another's each time.
    """
    tables = [path for path in out.rglob("*.tsv") if path.relative_to(out).parts[0] != "logs"]
    paths = [*out.rglob("sub-*/**/*.nii.gz"), *tables]
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(paths)
        if not path.name.startswith(".")
    }


def left_over(run: Run) -> list[str]:
    """What only a run that still works may have: temporary files and folders."""
    hidden = [path for path in run.out.rglob(".*") if path.name.startswith(".tmp-")]
    return sorted(map(str, [*hidden, *run.work.rglob("tmp-*"), *run.work.rglob(".tmp-*")]))


def wait_for(true: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether something comes true in time."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True
