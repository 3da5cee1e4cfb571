"""A run that is killed takes all its processes with it, and the next one clears what it left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from synthtumour_bids.execution.temporary import LOCK, PREFIX, temporary_folder
from tests.builders.semaphores import semaphores_of

ROOT = Path(__file__).resolve().parents[2]
RUN = f"""
import signal, sys, time
from pathlib import Path
from synthtumour_bids.execution.pool import map_items
from synthtumour_bids.execution.temporary import temporary_folder
from {__name__} import wait_long

def stop(number, frame):
    raise KeyboardInterrupt

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    with temporary_folder(Path(sys.argv[1])):
        map_items(wait_long, [Path(sys.argv[2]) / name for name in "ab"], nprocs=2)
"""


def wait_long(path: Path) -> None:
    tempfile.mkdtemp(prefix="scan-")  # as the preprocessing of a scan does
    path.touch()
    time.sleep(600)


def wait_until(true: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.1)


@contextmanager
def busy(root: Path) -> Iterator[tuple[subprocess.Popen[bytes], list[psutil.Process]]]:
    """A run with two workers at work, and these and all its other processes."""
    (root / "marks").mkdir()
    script = root / "run.py"
    script.write_text(RUN)
    with subprocess.Popen(
        [sys.executable, str(script), str(root / "work"), str(root / "marks")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    ) as process:
        wait_until(lambda: len(list((root / "marks").iterdir())) == 2)
        yield process, psutil.Process(process.pid).children(recursive=True)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_leaves_nothing(number: int, tmp_path: Path) -> None:
    work = tmp_path / "work"
    with busy(tmp_path) as (process, others):
        assert len(others) >= 2
        semaphores = semaphores_of((psutil.Process(process.pid), *others))
        assert semaphores
        process.send_signal(number)
        process.wait(30)
    _, alive = psutil.wait_procs(others, timeout=30)
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]
    wait_until(lambda: not any(one.exists() for one in semaphores), 30)
    if number == signal.SIGKILL:
        assert list(work.glob(f"{PREFIX}*/scan-*")), "what could not be removed"
        with temporary_folder(work) as own:
            assert list(work.iterdir()) == [own.resolve()]
    assert list(work.iterdir()) == []


def test_folders_that_are_in_use_stay(tmp_path: Path) -> None:
    with temporary_folder(tmp_path) as one, temporary_folder(tmp_path) as other:
        assert one.is_dir()
        assert set(tmp_path.iterdir()) == {one.resolve(), other.resolve()}


def test_the_link_of_a_killed_run_goes_with_its_folder(tmp_path: Path) -> None:
    parent = tmp_path / ("long" * 30)
    left = parent / f"{PREFIX}left"
    left.mkdir(parents=True)
    link, foreign = tmp_path / "link", tmp_path / "foreign"
    link.symlink_to(left)
    foreign.symlink_to(tmp_path)
    (left / LOCK).write_bytes(os.fsencode(link))
    other = parent / f"{PREFIX}other"
    other.mkdir()
    (other / LOCK).write_bytes(os.fsencode(foreign))
    with temporary_folder(parent) as named:
        assert list(parent.iterdir()) == [named.resolve()]
    assert not link.is_symlink()
    assert foreign.is_symlink(), "not one of ours"
