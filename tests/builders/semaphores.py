"""Named semaphores of a run's processes, which outlive a run that does not clear them away."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

NAME = re.compile(r"/dev/shm/sem\.\S+")


def semaphores_of(processes: Iterable[psutil.Process]) -> set[Path]:
    """Named semaphores that processes have; others on this machine have theirs."""
    found: set[Path] = set()
    for one in processes:
        with suppress(OSError):  # it ended meanwhile
            found |= set(map(Path, NAME.findall(Path(f"/proc/{one.pid}/maps").read_text())))
    return found
