"""The group report: a table to sort and filter, distributions, agreement, failures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthtumour_bids import __version__
from synthtumour_bids.ledger import Stop
from synthtumour_bids.reports.charts import Agreement, Distribution, Point
from synthtumour_bids.reports.corrections import Candidate, most_instructive
from synthtumour_bids.reports.group import MAIN
from synthtumour_bids.reports.templates import write_page

Row = Mapping[str, Any]
Person = tuple[str, str]  # dataset, participant_id
TRAINING_PAGE = "models/report.html"

# Columns by their names in the tables: how they are called here, and the digits after the point.
_COLUMNS = {
    "participant_id": ("participant", 0),
    "dataset": ("dataset", 0),
    "role": ("role", 0),
    "status": ("status", 0),
    "n_scans": ("scans", 0),
    "volume_mL": ("tumour, mL", 1),
    "tumour_present": ("tumour present", 0),
    "presence_p": ("p", 3),
    "side": ("side", 0),
    "n_components": ("parts", 0),
    "brain_volume_mL": ("brain, mL", 0),
    "junior_senior_dice": ("junior–senior Dice", 2),
    "expected_dice": ("expected Dice", 2),
    "dice": ("Dice with truth", 2),
    "qc_flags": ("flags", 0),
}
_DISTRIBUTIONS = {
    "volume_mL": ("Tumour volume", "mL"),
    "brain_volume_mL": ("Brain volume", "mL"),
    "junior_senior_dice": ("Agreement of junior and senior", "Dice"),
    "expected_dice": ("Expected agreement with the true outline", "Dice"),
    "mean_entropy": ("Mean entropy of what the network marked", "bit"),
    "dice": ("Agreement with the truth", "Dice"),
}


@dataclass(frozen=True)
class Trouble:
    """Why a step failed for a scan, and the page that tells more."""

    scan: str
    step: str
    message: str
    link: str = ""


def write_group_page(
    path: Path,
    participants: Sequence[Row],
    scans: Sequence[Row],
    troubles: Sequence[Trouble],
    stops: Sequence[Stop] = (),
    false_positives: str = "",
    teachable: Collection[str] = (),
) -> None:
    """Write ``group.html``.

    Parameters
    ----------
    path
        The file to write, beside the participants' pages.
    participants, scans
        Rows of the tables of the same names.
    troubles
        What failed when it was last tried.
    stops
        Steps that ended the run.
    false_positives
        A sentence on masks where no tumour is; empty where nothing is known of it.
    teachable
        Names of the scans that the senior would learn from, were their masks corrected.
    """
    columns = [
        name for name in _COLUMNS if any(row.get(name) not in (None, []) for row in participants)
    ]
    links = _links(path.parent)
    write_page(
        path,
        "group.html",
        version=__version__,
        columns=[_COLUMNS[name][0] for name in columns],
        rows=[
            {
                "link": links.get(_person(row), ""),
                "status": row["status"],
                "flagged": bool(row.get("qc_flags")),
                "cells": [_cell(row.get(name), _COLUMNS[name][1]) for name in columns],
            }
            for row in participants
        ],
        counts=Counter(row["status"] for row in participants),
        distributions=_distributions(participants, scans, links),
        agreement=_agreement(scans, links),
        troubles=troubles,
        stops=stops,
        false_positives=false_positives,
        candidates=_candidates(scans, teachable, links),
        training=TRAINING_PAGE if (path.parent / TRAINING_PAGE).is_file() else "",
    )


def _candidates(
    scans: Sequence[Row], teachable: Collection[str], links: Mapping[Person, str]
) -> list[Candidate]:
    """Only the main dataset has scans that teach by their masks."""
    own = [row for row in scans if _person(row)[0] == MAIN]
    pages = {name: page for (dataset, name), page in links.items() if dataset == MAIN}
    return most_instructive(own, teachable, pages)


def _person(row: Row) -> Person:
    return row.get("dataset") or MAIN, row["participant_id"]


def _links(folder: Path) -> dict[Person, str]:
    """Pages of participants of the main dataset and of further ones, relative to a folder."""
    nested = folder.glob("derivatives/*/sub-*.html")
    return {(MAIN, page.stem): page.name for page in folder.glob("sub-*.html")} | {
        (page.parent.name, page.stem): page.relative_to(folder).as_posix() for page in nested
    }


def _distributions(
    participants: Sequence[Row], scans: Sequence[Row], links: Mapping[Person, str]
) -> list[Distribution]:
    """Of segmented scans; of brains, also those of participants of whom nothing was segmented."""
    found = []
    for name, (title, unit) in _DISTRIBUTIONS.items():
        rows = participants if name == "brain_volume_mL" else scans
        points = [
            Point(str(row.get("scan") or row["participant_id"]), float(row[name]), link)
            for row in rows
            if _is_number(row.get(name))
            for link in (links.get(_person(row), ""),)
        ]
        if points:
            found.append(Distribution.of(title, unit, points))
    return found


def _agreement(scans: Sequence[Row], links: Mapping[Person, str]) -> Agreement | None:
    rows = [row for row in scans if _is_number(row.get("volume_error_mL"))]
    if not rows:
        return None
    differences = [
        Point(row["scan"], float(row["volume_error_mL"]), links.get(_person(row), ""))
        for row in rows
    ]
    return Agreement.of([float(row["volume_mL"]) for row in rows], differences)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _cell(value: Any, digits: int) -> dict[str, Any]:
    """Text of a cell, and what it is sorted by; numbers come before words, nothing comes last."""
    if _is_number(value):
        return {"text": f"{value:.{digits}f}", "key": value, "flags": ()}
    if isinstance(value, list):
        return {"text": "", "key": len(value) or "", "flags": value}
    text = "" if value is None or value != value else str(value)
    return {"text": text, "key": text, "flags": ()}
