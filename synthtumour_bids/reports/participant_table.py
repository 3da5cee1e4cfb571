"""A table of participants in plain text, for the end of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MOST_ROWS = 30
LONGEST = 100  # characters of a cell
_HEAD = ("participant", "status", "tumour", "to look at")
_ORDER = ("failed", "not preprocessed", "segmented", "preprocessed")


def as_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write one line a participant: failures first, then what is flagged, then the rest.

    Parameters
    ----------
    rows
        Of ``participants.tsv``. Beyond `MOST_ROWS` they are counted only.
    """
    ordered = sorted(rows, key=_urgency)
    cells = [_HEAD, *(_cells(row) for row in ordered[:MOST_ROWS])]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    if more := len(rows) - MOST_ROWS:
        lines += [f"  … and {more} more, see participants.tsv"] * (more > 0)
    return "\n".join(lines)


def _urgency(row: Mapping[str, Any]) -> tuple[int, bool, str]:
    status = row["status"]
    place = _ORDER.index(status) if status in _ORDER else len(_ORDER)
    return place, not row.get("qc_flags"), row["participant_id"]


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    volume = row.get("volume_mL")
    tumour = "" if volume is None else f"{volume:.1f} mL" if volume else "none found"
    look = " ".join((row.get("failure") or ", ".join(row.get("qc_flags") or ())).split())
    if len(look) > LONGEST:
        look = look[: LONGEST - 1] + "…"
    return row["participant_id"], row["status"], tumour, look
