"""A process of its own, and what it took."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cost:
    """What a process took.

    Attributes
    ----------
    exit_code
        Its exit code.
    seconds, processor_seconds
        By the clock, and of processors, its own processes included.
    peak_gb
        Memory of the largest process among them, in 10⁹ bytes.
    """

    exit_code: int
    seconds: float
    processor_seconds: float
    peak_gb: float


def run(command: Sequence[str], **more: Any) -> Cost:
    """Run a command to its end.

    Parameters
    ----------
    command
        The program and its arguments.
    more
        Passed to `subprocess.Popen`.
    """
    start = time.monotonic()
    process = subprocess.Popen(command, **more)
    _, status, usage = os.wait4(process.pid, 0)
    return Cost(
        os.waitstatus_to_exitcode(status),
        time.monotonic() - start,
        usage.ru_utime + usage.ru_stime,
        peak_gb(usage),
    )


def peak_gb(usage: resource.struct_rusage) -> float:
    """Largest memory of a process, in 10⁹ bytes; the system counts in 1024."""
    return usage.ru_maxrss * 1024 / 1e9


def own_peak_gb() -> float:
    """Largest memory of this process so far."""
    return peak_gb(resource.getrusage(resource.RUSAGE_SELF))
