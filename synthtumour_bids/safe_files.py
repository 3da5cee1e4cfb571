"""Files that may come from anywhere: read once, whole and bounded."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from itertools import accumulate
from pathlib import Path
from typing import Any

MOST_JSON_BYTES = 1_000_000
DEEPEST_JSON = 16  # brackets inside one another
_REASONS = {errno.ELOOP: "is a link", errno.ENOENT: "is missing"}
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def read_file(folder: Path, name: str, most_bytes: int, *, follow: bool = False) -> bytes:
    """Read a file of a folder.

    Parameters
    ----------
    folder
        Where it lies; may itself be reached through a link.
    name
        Of the file, without any folder.
    most_bytes
        Size above which it is refused.
    follow
        Whether it may be a link.

    Returns
    -------
    Its bytes: whoever checks these and uses them is not fooled by a file that changes meanwhile.

    Raises
    ------
    ValueError
        In one clause: it is not there, a link, no regular file, or too large.
    """
    path = folder / name
    try:
        # A pipe would otherwise be waited for, and a link followed.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW))
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, f"cannot be read ({error.strerror})")
        raise ValueError(f"{name} {reason}") from error
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError(f"{name} is no regular file")
        data = stream.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise ValueError(f"{name} is larger than {most_bytes / 1e6:g} MB")
    return data


def parse_json(data: bytes, name: str) -> dict[str, Any]:
    """Parse a JSON object of bounded size and depth, without NaN, infinity and repeated keys.

    Parameters
    ----------
    data
        UTF-8.
    name
        Of the file, for the sentence.

    Raises
    ------
    ValueError
        In one clause: it is too large or too deep, or no JSON object.
    """
    try:
        content = _parse(data)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{name} is no JSON object")
    return content


def _parse(data: bytes) -> Any:
    if len(data) > MOST_JSON_BYTES:
        raise ValueError(f"is larger than {MOST_JSON_BYTES / 1e6:g} MB")
    depths = accumulate(_STEPS.get(byte, 0) for byte in _TEXT.sub(b"", data))
    if max(depths, default=0) > DEEPEST_JSON:
        raise ValueError(f"has more than {DEEPEST_JSON} brackets inside one another")
    try:
        return json.loads(data, parse_constant=_refuse, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is no JSON ({error})") from error


def read_any_json(path: Path) -> Any:
    """Read JSON of bounded size and depth that a user wrote; see `parse_json`.

    Parameters
    ----------
    path
        A file, or a pipe, in UTF-8.

    Returns
    -------
    Whatever value it holds.

    Raises
    ------
    OSError
        When it cannot be read.
    ValueError
        In one clause without subject: it is too large or too deep, or no JSON.
    """
    with path.open("rb") as stream:
        return _parse(stream.read(MOST_JSON_BYTES + 1))


def read_json(folder: Path, name: str, *, follow: bool = False) -> dict[str, Any]:
    """Read a JSON object of a folder; see `read_file` and `parse_json`."""
    return parse_json(read_file(folder, name, MOST_JSON_BYTES, follow=follow), name)


def _refuse(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are each there once; Python would take the last one's value."""
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f"{key!r} is there twice")
        content[key] = value
    return content
