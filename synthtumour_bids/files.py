"""Files that are whole or absent, however the process that writes them ends."""

from __future__ import annotations

import glob
import hashlib
import json
import math
import os
import secrets
import shutil
import socket
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from synthtumour_bids.texts import visible

TEMPORARY_PREFIX = ".tmp-"
ABANDONED_SECONDS = 3600.0  # since the last byte; nothing is written so slowly
_CHUNK = 1 << 20


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; move it to `path` when the block ends well.

    The name keeps the extension, which image writers go by, and is unique among processes,
    threads and hosts, so that jobs which write the same file at once do not meet; the last one
    wins. What a process that was killed left of the same file is removed. Missing folders are
    made. Permissions follow the umask.

    Parameters
    ----------
    path
        The file to be.

    Yields
    ------
    The temporary path to write to. Whatever is left there when the block raises is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # tempfile would make files that only their owner can read, which others in a laboratory
    # need to.
    unique = _unique()
    extension = "".join(path.suffixes[-2:]) if path.name.endswith(".gz") else path.suffix
    room = 255 - len(unique.encode()) - len(extension.encode())
    stem = path.name.removesuffix(extension).encode()[:room].decode(errors="ignore")
    temporary = path.with_name(f"{unique}{stem}{extension}")
    for other in path.parent.glob(f"{TEMPORARY_PREFIX}*-{glob.escape(stem + extension)}"):
        if _is_abandoned(other):
            other.unlink(missing_ok=True)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _unique() -> str:
    """Begin a name that no other process has, here or on another host."""
    return f"{TEMPORARY_PREFIX}{_host()}-{os.getpid()}-{secrets.token_hex(4)}-"


def _host() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def _is_abandoned(temporary: Path) -> bool:
    """Whether the process that wrote there is no more."""
    host, process, *_ = temporary.name.removeprefix(TEMPORARY_PREFIX).split("-")
    try:
        if time.time() - temporary.stat().st_mtime > ABANDONED_SECONDS:
            return True
        if host == _host() and process.isdecimal():
            os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except OSError:  # gone meanwhile, or another user's process
        return False
    return False


def write_json(path: Path, data: Any) -> None:
    """Write JSON; arrays become lists, paths strings, and NaN and infinity ``null``."""
    write_text(path, json.dumps(_plain(data), indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a record that a job may be replacing; ``None`` where there is none, or a broken one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def read_records(folder: Path) -> list[dict[str, Any]]:
    """Read the records of a folder, in the order of their names, but for those that are broken."""
    found = map(read_json, sorted(folder.glob("[!.]*.json")))
    return [record for record in found if record is not None]


def write_tsv(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write a table as BIDS wants it.

    Parameters
    ----------
    rows
        One mapping a row. Missing, ``None`` and NaN values become ``n/a``; numbers keep six
        significant digits; tabs and line breaks inside a text become spaces, what
        cannot be seen an escape.
    columns
        Names and order of the columns; other keys of the rows are left out.
    """
    lines = ["\t".join(columns)]
    lines += ["\t".join(_cell(row.get(column)) for column in columns) for row in rows]
    write_text(path, "\n".join(lines) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_once(path: Path, text: str) -> str:
    """Write a text file unless it is there.

    Returns
    -------
    What the file holds: of several jobs that write it at once, the first one's text.
    """
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{_unique()}{path.name}")
        try:
            partial.write_text(text, encoding="utf-8", newline="\n")
            _link_or_rename(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    return path.read_text(encoding="utf-8")


def _link_or_rename(partial: Path, path: Path) -> None:
    """Give a file its final name; a file of another job that bears it stays, where links are."""
    try:
        os.link(partial, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        partial.replace(path)


def copy_file(source: Path, destination: Path) -> None:
    """Copy the content of a file, not its permissions: a read-only source stays alone in it."""
    with replacing(destination) as temporary:
        shutil.copyfile(source, temporary)


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def fingerprint(**parts: Any) -> str:
    """Hash of named values (anything JSON can hold; paths and the like by their text)."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """Turn a value into what JSON can hold."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (str, bool, int)) or value is None:
        return value
    if isinstance(value, PathLike):
        return str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if hasattr(value, "tolist"):  # numpy's arrays and scalars
        return _plain(value.tolist())
    if isinstance(value, (set, frozenset)):
        return [_plain(item) for item in sorted(value)]
    return [_plain(item) for item in value]


def _cell(value: Any) -> str:
    value = _plain(value)
    if value is None or value == "":
        return "n/a"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return format(value, ".6g")
    if isinstance(value, list):
        return ";".join(_cell(item) for item in value) or "n/a"
    return visible(" ".join(str(value).split()))
