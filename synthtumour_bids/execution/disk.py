"""A disk that takes nothing more, which ends the run for all, and files that nobody may touch."""

from __future__ import annotations

import errno

FULL = (
    "Make room for the output folder and for --work-dir (several GB), or name another --work-dir; "
    "then run the same command again: what is done is kept."
)
READ_ONLY = (
    "The file system of the output folder or of --work-dir has become read-only. Once it can be "
    "written to, run the same command again: what is done is kept."
)
_ADVICE = {errno.ENOSPC: FULL, errno.EDQUOT: FULL, errno.EROFS: READ_ONLY}


def disk_advice(error: BaseException | None) -> str:
    """Say what to do where an error, or what it came from, is that of a disk.

    Parameters
    ----------
    error
        Whatever was raised.

    Returns
    -------
    One or two sentences where the disk is full, a quota exhausted or the file system read-only;
    empty for every other error.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in _ADVICE:
            return _ADVICE[error.errno]
        error = error.__cause__ or error.__context__
    return ""


def permission_advice(error: BaseException) -> str:
    """Say which file may not be read or written; empty for every other error."""
    if not isinstance(error, PermissionError) or error.filename is None:
        return ""
    return (
        f"{error.filename} may not be read or written ({error.strerror}). Mend its permissions; "
        "where somebody else has made the output folder, choose another one, or, in a container, "
        "run as that user (-u)."
    )
