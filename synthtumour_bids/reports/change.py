"""A participant's tumour volume over the sessions: the line plot, and the table of all changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from synthtumour_bids.files import write_json, write_tsv
from synthtumour_bids.measures.change import smallest_measurable
from synthtumour_bids.measures.columns import CHANGE
from synthtumour_bids.reports.group import dictionary
from synthtumour_bids.reports.panels import save

CHANGE_TABLE = "group_desc-change_volumes.tsv"
_WHICH_SCAN = ("participant_id", "session_id", "scan")
_ORANGE = "#E69F00"


def volume_plot(sessions: Sequence[Mapping[str, Any]], path: Path) -> str:
    """Draw the volumes over time, or over the sessions' order where times are not known.

    Parameters
    ----------
    sessions
        ``session_id``, ``volume_mL``, and ``years`` since the first one or ``None``.
    path
        SVG file to write.

    Returns
    -------
    A description for those who cannot see it.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 3.4), facecolor="black", layout="constrained")
    FigureCanvasSVG(figure)
    ax = figure.add_subplot(facecolor="black")
    dated = all(one["years"] is not None for one in sessions)
    places = [one["years"] if dated else n for n, one in enumerate(sessions)]
    volumes = [one["volume_mL"] for one in sessions]
    # Each volume has its half of the limit: bars overlap where the difference is not above that.
    bars = [smallest_measurable(volume, volume) / 2 for volume in volumes]
    ax.errorbar(places, volumes, yerr=bars, color=_ORANGE, ecolor="#999999", marker="o", capsize=4)
    for one, place in zip(sessions, places, strict=True):
        ax.annotate(
            f"{one['session_id']}\n{one['volume_mL']:.1f} mL",
            (place, one["volume_mL"]),
            xytext=(8, 6),
            textcoords="offset points",
            color="white",
            fontsize=9,
        )
    if not dated:
        ax.set_xticks(places, [one["session_id"] for one in sessions])
    ax.set_xlabel("years since the first session" if dated else "session", color="white")
    ax.set_ylabel("tumour, mL", color="white")
    ax.set_ylim(bottom=0)
    ax.margins(x=0.15, y=0.2)
    ax.tick_params(colors="white")
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_edgecolor("white")
    save(figure, path)
    told = ", ".join(f"{one['session_id']} {one['volume_mL']:.1f} mL" for one in sessions)
    return f"Line plot of the tumour's volume: {told}."


def change_rows(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Make one table row per session that was compared with the one before."""
    return [
        {
            "participant_id": record["participant_id"],
            "session_id": after["session_id"],
            "scan": after["scan"],
            "previous_session_id": before["session_id"],
            "times": record["Times"],
            **change,
        }
        for record in records
        for (before, after), change in zip(
            pairwise(record["Sessions"]), record["Changes"], strict=True
        )
    ]


def write_changes(output_dir: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write the table of changes with its dictionary; without any, that of an earlier run goes."""
    path = output_dir / CHANGE_TABLE
    if not records:
        for old in (path, path.with_suffix(".json")):
            old.unlink(missing_ok=True)
        return
    write_tsv(path, change_rows(records), [*_WHICH_SCAN, *CHANGE])
    write_json(path.with_suffix(".json"), {**dictionary(_WHICH_SCAN), **CHANGE})
