"""What a dataset's ``.bidsignore`` takes out of it."""

from __future__ import annotations

import re
from pathlib import Path

from pathspec import GitIgnoreSpec

from synthtumour_bids.bids.tables import read_text
from synthtumour_bids.errors import DataError


def read_bidsignore(root: Path) -> GitIgnoreSpec:
    """Read ``.bidsignore``, in the syntax of ``.gitignore``; what it matches is relative to `root`.

    Raises
    ------
    DataError
        When it is there and cannot be read: scans that somebody has taken out would be used.
    """
    path = root / ".bidsignore"
    try:
        text = read_text(path) or ""
    except DataError as error:
        msg = f"{error} It names what is no part of the dataset; where that is nothing, delete it."
        raise DataError(msg) from error
    try:
        return GitIgnoreSpec.from_lines(text.splitlines())
    except (ValueError, re.error) as error:
        msg = f"{path} has a pattern that .gitignore files cannot have: {error}"
        raise DataError(msg) from error


def is_ignored(ignored: GitIgnoreSpec, relative: Path) -> bool:
    """Whether ``.bidsignore`` names a file, or a folder, which it may do with a slash."""
    name = relative.as_posix()
    return ignored.match_file(name) or ignored.match_file(f"{name}/")
