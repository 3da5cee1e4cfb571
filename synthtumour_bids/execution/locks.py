"""A lock file: one run at a time does what cannot be shared."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synthtumour_bids.errors import UnavailableError

LOGGER = logging.getLogger(__name__)


@contextmanager
def exclusive_lock(path: Path, message: str) -> Iterator[None]:
    """Hold a lock for the block.

    The lock ends with the process, however that ends. It holds among all hosts where the file
    system passes POSIX locks on (NFS, Lustre, GPFS and BeeGFS do, unless switched off).

    Parameters
    ----------
    path
        The lock file; it stays, and says who has the lock.
    message
        What to tell the user when another process has it; ``{holder}`` stands for that one.

    Raises
    ------
    UnavailableError
        When another process has the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                holder = path.read_text(encoding="utf-8").strip() or "another process"
                raise UnavailableError(message.replace("{holder}", holder)) from error
            LOGGER.warning(
                "The file system of %s has no locks (%s): make sure that no other run trains "
                "there at the same time.",
                path.parent,
                error.strerror,
            )
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)  # nobody has it, and on which machine it was is nobody's business
