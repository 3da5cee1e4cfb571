"""A disk that is full: the one trouble of a scan that ends the run for all."""

from __future__ import annotations

import errno

DISK_FULL = (
    "{} Make room for the output folder and for --work-dir (several GB), or name another "
    "--work-dir; then run the same command again: what is done is kept."
)


def disk_is_full(error: BaseException | None) -> bool:
    """Whether an error, or what it came from, is that of a full disk or an exhausted quota."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False
