"""BIDS tables as people's tools leave them: tabs, no quoting, and sometimes another encoding."""

from __future__ import annotations

import codecs
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from synthtumour_bids.errors import DataError

LOGGER = logging.getLogger(__name__)

POINTERS = ("/annex/objects/", "version https://git-lfs")  # what stands in for unfetched content
FETCH = "Fetch it first (datalad get, git annex get or git lfs pull)."
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Other separators that str.splitlines knows, such as U+2028, may stand in a comment.
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes
    ----------
    path
        Its file.
    columns
        In their order, without spaces around.
    rows
        Text by column, without spaces around; cells that a row lacks are empty.
    contested
        Columns that are there several times and do not say the same.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    contested: frozenset[str] = frozenset()

    def check(self, *columns: str) -> None:
        """Make sure that columns say one thing, before they are believed.

        Raises
        ------
        DataError
            When one of them is there several times, with different cells.
        """
        for column in columns:
            if column in self.contested:
                msg = (
                    f"{self.path} has several columns {column!r} that differ: which one is meant "
                    "cannot be told. Keep one, or rename the others."
                )
                raise DataError(msg)


def read_text(path: Path) -> str | None:
    """Read a text that people write for a dataset, in whatever encoding their tools leave it.

    Returns
    -------
    ``None`` where there is no such file.

    Raises
    ------
    DataError
        When it cannot be read, is no regular file or a link to nowhere, stands in for content that
        has not been fetched, or holds NUL characters, as files do that a computer lost in a crash.
    """
    try:
        if not path.exists():
            if not path.is_symlink():
                return None
            msg = f"{path} is a link to a file that is not there. {FETCH}"
            raise DataError(msg)
        if not path.is_file():
            msg = f"{path} is no regular file, and cannot be read. Remove it or write it anew."
            raise DataError(msg)
        text = _decoded(path, path.read_bytes())
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or error}."
        raise DataError(msg) from error
    if text.startswith(POINTERS):
        msg = f"The content of {path} has not been fetched: it holds {text[:60].strip()!r}. {FETCH}"
        raise DataError(msg)
    if "\0" in text:
        msg = (
            f"{path} holds NUL characters: it is damaged, or in UTF-16 without a byte order mark. "
            "Save it as UTF-8."
        )
        raise DataError(msg)
    return text


def read_table(path: Path) -> Table | None:
    """Read a table.

    BIDS tables have tabs between cells and no quoting: a double quote is a character like others.
    UTF-8 is expected, with or without a byte order mark; UTF-16 is known by its mark, and whatever
    is neither is read as Windows' Western European encoding, with a warning.

    Returns
    -------
    ``None`` where there is no such file.

    Raises
    ------
    DataError
        As `read_text` does, and when a row has more cells than there are columns.
    """
    text = read_text(path)
    if text is None:
        return None
    lines = [
        (number, [cell.strip() for cell in line.split("\t")])
        for number, line in enumerate(_LINE_END.split(text), start=1)
        if line.strip()
    ]
    columns = tuple(lines[0][1]) if lines else ()
    rows, contested = [], set[str]()
    for number, cells in lines[1:]:
        if any(cells[len(columns) :]):
            msg = (
                f"Line {number} of {path} has {len(cells)} cells, but its header {len(columns)} "
                "columns: what belongs to which column cannot be told. Correct the tabs of one."
            )
            raise DataError(msg)
        row: dict[str, str] = {}
        for column, cell in zip_longest(columns, cells[: len(columns)], fillvalue=""):
            if row.setdefault(column, cell) != cell:
                contested.add(column)
        rows.append(row)
    return Table(path, columns, tuple(rows), frozenset(contested))


def _decoded(path: Path, content: bytes) -> str:
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        LOGGER.warning(
            "%s is not in UTF-8, as BIDS asks for; it is read as Windows-1252. Save it as UTF-8 if "
            "its names or values look wrong.",
            path,
        )
        return content.decode("cp1252", errors="replace")
