"""What the machine offers, cores and memory, and how many threads a library may take."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

from synthtumour_bids.errors import UsageError
from synthtumour_bids.execution.control_groups import ROOT, core_limit, memory_limit

LOGGER = logging.getLogger(__name__)

_THREAD_VARIABLES = (
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
)
_UNITS_GB = {"K": 1e-6, "M": 1e-3, "G": 1.0, "T": 1e3}


def available_cores(control_groups: Path = ROOT) -> int:
    """Cores this process may use.

    The least of its affinity, the time its control groups may take (``docker --cpus``) and
    ``SLURM_CPUS_PER_TASK``.
    """
    limits = [len(os.sched_getaffinity(0)), core_limit(control_groups)]
    slurm = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if slurm.isdigit():
        limits.append(int(slurm))
    return min(limit for limit in limits if limit)


def parse_memory(text: str) -> float:
    """Read an amount of memory such as ``16G``, ``1.5 GB`` or ``900M``.

    Parameters
    ----------
    text
        Number with a unit (K, M, G or T, with or without B, any case).

    Returns
    -------
    Gigabytes.

    Raises
    ------
    UsageError
        Without a unit, because tools disagree on whether a bare number is in MB or GB.
    """
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([KMGT])I?B?\s*", text.upper())
    if match is None:
        msg = (
            f"--mem {text!r}: expected a number with a unit, for instance 16G or 16000M "
            "(a bare number is refused because it is MB for some tools and GB for others)."
        )
        raise UsageError(msg)
    return float(match[1]) * _UNITS_GB[match[2]]


def memory_limit_gb() -> float:
    """Memory this process may use, in GB: the least of the machine's and its control groups'."""
    import psutil

    total = int(psutil.virtual_memory().total)
    return min(total, memory_limit() or total) / 1e9


def has_cuda_device(devices: Path = Path("/dev")) -> bool:
    """Whether an NVIDIA device is there and not hidden; told without loading torch, for seconds."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    return any(devices.glob("nvidia[0-9]*")) or (devices / "dxg").exists()


def processes_that_fit(
    nprocs: int, mem_gb: float | None, per_process_gb: float, threads: int = 1
) -> int:
    """How many processes fit on the cores and in memory; the log says where memory is short.

    Parameters
    ----------
    nprocs
        Cores to use in all.
    mem_gb
        Memory to use in all; ``None``: what this process may use.
    per_process_gb
        Memory that one process needs.
    threads
        Threads of one process.
    """
    nprocs = max(1, nprocs // threads)
    limit = mem_gb if mem_gb is not None else memory_limit_gb()
    fit = max(1, int(limit // per_process_gb))
    if limit < per_process_gb:
        LOGGER.warning(
            "One process takes about %.1f GB, and there are %.1f GB: it may be killed. Give it "
            "more memory, or, where there is more, say so with --mem.",
            per_process_gb,
            limit,
        )
    elif fit < nprocs:
        LOGGER.warning(
            "Only %d of %d processes fit in %.1f GB (about %.1f GB each); raise --mem for more.",
            fit,
            nprocs,
            limit,
            per_process_gb,
        )
    return min(nprocs, fit)


def thread_variables(threads: int) -> dict[str, str]:
    """Environment variables that tell ITK, OpenMP and BLAS how many threads to start."""
    return dict.fromkeys(_THREAD_VARIABLES, str(threads))


def limit_threads(threads: int) -> None:
    """Set these variables in this process; must run before the libraries are imported."""
    os.environ.update(thread_variables(threads))
    # Threads that wait by spinning slow each other down where cores are shared.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
