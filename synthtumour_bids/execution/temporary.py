"""One temporary folder for every library, in the work folder, with a name that sockets can bear."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

LOGGER = logging.getLogger(__name__)

PREFIX, LOCK = "tmp-", ".lock"
# Folders that Matplotlib and torch make when they are imported; torch fails where it cannot.
_CACHE_VARIABLES = ("MPLCONFIGDIR", "TORCHINDUCTOR_CACHE_DIR")
# A socket's path has at most 104 bytes on macOS and 108 on Linux; Python's processes put
# theirs two folders deep, with names of 32 characters.
LONGEST_NAME = 70
SHORT_PLACES = (Path("/tmp"), Path("/dev/shm"), Path("/var/tmp"))  # noqa: S108


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """Give every library one temporary folder under ``parent``, removed at the end.

    ANTs and nnU-Net leave files in the system's temporary folder; on a cluster node those fill
    the disk. Caches go there too where the folder meant for them cannot be written to, as in a
    container with a read-only ``/tmp``. Matplotlib, which ANTs imports, is to draw into files: with
    Jupyter's setting it cannot be imported elsewhere. Child processes inherit the settings.

    A folder whose path is too long for sockets is named by a link in a short place: processes
    that prepare training batches could not hand them over, and the training would wait for ever.

    What runs left here that were killed is removed: nobody holds the lock in such a folder.
    """
    parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(parent)
    folder, lock = _make_locked(parent)
    link = _link_to(folder)
    named = link or folder
    if link is not None:
        lock.write(os.fsencode(link))
        lock.flush()
    caches = [name for name in _CACHE_VARIABLES if not _can_cache(name)]
    variables = {"TMPDIR": str(named), "MPLBACKEND": "Agg"} | {
        name: str(named / name.lower()) for name in caches
    }
    before, before_python = {name: os.environ.get(name) for name in variables}, tempfile.tempdir
    os.environ.update(variables)
    tempfile.tempdir = str(named)
    try:
        yield named
    finally:
        tempfile.tempdir = before_python
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        lock.close()  # or network file systems would keep the file
        _remove(folder, link)


def _make_locked(parent: Path) -> tuple[Path, BinaryIO]:
    """Make a temporary folder, and a file in it that is locked as long as this process lives."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        lock = (folder / LOCK).open("wb")
        with suppress(OSError):  # a file system without locks: what is left there stays
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock.fileno()).st_nlink:  # not taken for abandoned before it was locked
            return folder, lock
        lock.close()


def _remove_abandoned(parent: Path) -> None:
    """Remove the temporary folders of processes that are no more, and their links."""
    for path in parent.glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError), path.open("r+b") as lock:  # gone meanwhile, or in use
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            link = Path(os.fsdecode(lock.read()))
            ours = link.is_symlink() and link.readlink() == path.parent.absolute()
            _remove(path.parent, link if ours else None)


def _remove(folder: Path, link: Path | None) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if link is not None:
        link.unlink(missing_ok=True)


def sockets_fit() -> bool:
    """Whether processes can make sockets in the temporary folder of now."""
    return _fits(tempfile.gettempdir())


@contextmanager
def safe_alias(folder: Path) -> Iterator[Path]:
    """Give a folder under a name that ANTs can read, for the block: the same one, where it can."""
    link = None if _is_safe(folder) else _link_to(folder)
    try:
        yield link or folder
    finally:
        if link is not None:
            link.unlink(missing_ok=True)


def _fits(folder: str | Path) -> bool:
    return len(os.fsencode(folder)) <= LONGEST_NAME


def _is_safe(folder: Path) -> bool:
    """Whether ANTs takes the path for one: in its arguments, brackets and commas have a meaning."""
    return not set(str(folder)) & set("[],")


def _link_to(folder: Path) -> Path | None:
    """Make a link to a folder with a long or odd path; None where it needs none or no place is."""
    if _fits(folder) and _is_safe(folder):
        return None
    for place in SHORT_PLACES:
        link = place / f"synthtumour-{secrets.token_hex(6)}"
        try:
            link.symlink_to(folder.absolute(), target_is_directory=True)
        except OSError:
            continue
        return link
    LOGGER.warning(
        "The path of %s is too long for sockets or has brackets or commas, which ANTs cannot read, "
        "and no other name for it could be made in %s. Training prepares its batches in its own "
        "process, which takes longer, or scans fail. A work folder with a short, plain path "
        "(--work-dir) avoids that.",
        folder,
        ", ".join(map(str, SHORT_PLACES)),
    )
    return None


def _can_cache(variable: str) -> bool:
    """Whether a cache may stay where it is."""
    given = os.environ.get(variable)
    if given:
        folder = Path(given)
    elif variable == "MPLCONFIGDIR":  # Matplotlib would make one here, and miss it at its exit
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "matplotlib"
    else:
        return True
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)
