"""A disk that takes nothing more, for every Python process that has this folder on its path.

While the file that ``FAULTY_DISK_SIGN`` names is there, writing under ``FAULTY_DISK_FOLDER`` fails
as its content says: the number of an error. As on a full disk, what cannot be filled is there,
empty; what turned read-only cannot be renamed or removed either.
"""

import errno
import os
import sys
from pathlib import Path

FOLDER, SIGN = os.environ["FAULTY_DISK_FOLDER"], Path(os.environ["FAULTY_DISK_SIGN"])
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
MAKING = ("os.mkdir", "os.symlink")
CHANGING = ("os.rename", "os.remove", "os.rmdir", "os.link", "os.truncate")


def refuse(event, arguments):
    """Let a call fail that would write."""
    if event not in ("open", *MAKING, *CHANGING):
        return
    if event == "open" and not arguments[2] & WRITING:
        return
    path = arguments[1 if event == "os.symlink" else 0]
    if not isinstance(path, (str, bytes)) or not os.fsdecode(path).startswith(FOLDER):
        return
    try:
        number = int(SIGN.read_text())
    except FileNotFoundError:
        return
    if number == errno.ENOSPC:
        if event in CHANGING:
            return
        if event == "open" and arguments[2] & os.O_CREAT and not Path(os.fsdecode(path)).exists():
            os.mknod(path)
    raise OSError(number, os.strerror(number), path)


sys.addaudithook(refuse)
