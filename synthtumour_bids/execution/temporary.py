"""One temporary folder for every library, in the work folder, with a name that sockets can bear."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOGGER = logging.getLogger(__name__)

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
    container with a read-only ``/tmp``. Child processes inherit the setting.

    A folder whose path is too long for sockets is named by a link in a short place: processes
    that prepare training batches could not hand them over, and the training would wait for ever.
    """
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="tmp-", dir=parent))
    link = _short_link(folder)
    named = link or folder
    caches = [name for name in _CACHE_VARIABLES if not _can_cache(name)]
    variables = {"TMPDIR": str(named)} | {name: str(named / name.lower()) for name in caches}
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
        shutil.rmtree(folder, ignore_errors=True)
        if link is not None:
            link.unlink(missing_ok=True)


def sockets_fit() -> bool:
    """Whether processes can make sockets in the temporary folder of now."""
    return _fits(tempfile.gettempdir())


def _fits(folder: str | Path) -> bool:
    return len(os.fsencode(folder)) <= LONGEST_NAME


def _short_link(folder: Path) -> Path | None:
    """Make a link to a folder whose path is too long; None where it is short or no place is."""
    if _fits(folder):
        return None
    for place in SHORT_PLACES:
        link = place / f"synthtumour-{secrets.token_hex(6)}"
        try:
            link.symlink_to(folder.absolute(), target_is_directory=True)
        except OSError:
            continue
        return link
    LOGGER.warning(
        "The path of %s is too long for sockets, and no short name for it could be made in %s: "
        "training prepares its batches in its own process, which takes longer. A work folder with "
        "a shorter path (--work-dir) avoids that.",
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
