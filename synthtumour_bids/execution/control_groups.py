"""What the control groups of this process allow it: that of its job, and all that hold it.

A scheduler such as SLURM, and a container, limit a job by a group below the root of the tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")  # which groups this process is in


def memory_limit(root: Path = ROOT, membership: Path = MEMBERSHIP) -> int | None:
    """Bytes of memory that a process may use; ``None`` without a limit.

    Parameters
    ----------
    root
        Of the tree of control groups.
    membership
        File that tells the process's groups.
    """
    names = ("memory.max", "memory.limit_in_bytes")
    texts = (_read(folder / n) for folder in _groups("memory", root, membership) for n in names)
    return min((int(text) for text in texts if text.isdigit()), default=None)


def core_limit(root: Path = ROOT, membership: Path = MEMBERSHIP) -> int | None:
    """Cores' worth of time that a process may take, rounded up; ``None`` without a limit.

    Parameters
    ----------
    root, membership
        As for `memory_limit`.
    """
    found = []
    for folder in _groups("cpu", root, membership):
        both = _read(folder / "cpu.max") or " ".join(
            _read(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")
        )
        with suppress(ValueError):  # not there; or "max", which is no limit
            quota, period = map(int, both.split())
            found.append(-(-quota // period))
    return min((cores for cores in found if cores > 0), default=None)


def _groups(controller: str, root: Path, membership: Path) -> Iterator[Path]:
    """Folders of the groups, of version 2 and of a controller of version 1, with their parents."""
    yield from (root, root / controller)
    for line in _read(membership).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        tree, inside = (root / controller if controllers else root), PurePosixPath(path.lstrip("/"))
        yield from (tree / group for group in (inside, *inside.parents))


def _read(path: Path) -> str:
    """Content of a file; nothing where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
