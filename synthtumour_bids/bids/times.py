"""When sessions were: dates and ages in ``sessions.tsv`` and ``scans.tsv``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.tables import Table, read_table
from synthtumour_bids.errors import DataError

DAYS_PER_YEAR = 365.25
SAME_DAYS = 1.5  # tables may tell of another hour of one visit, or have rounded it
SAME_YEARS = 1.0  # ages are often whole years
_PER_YEAR = {"year": 1.0, "month": 12.0, "week": DAYS_PER_YEAR / 7, "day": DAYS_PER_YEAR}


@dataclass(frozen=True)
class Times:
    """When the scans of a participant were taken, one a session.

    Attributes
    ----------
    years
        Of each scan in its order, since some moment that is the same for all; empty where it is
        not known for all of them.
    source
        ``dates`` or ``ages``; empty where there are no years.
    problems
        Why there are none, or what is odd, in sentences.
    """

    years: tuple[float, ...]
    source: str
    problems: tuple[str, ...] = ()

    @property
    def order(self) -> tuple[int, ...]:
        """Numbers of the scans from the earliest on; as they stand where that is not known."""
        return tuple(sorted(range(len(self.years)), key=self.years.__getitem__))


def read_times(bids_dir: Path, scans: Sequence[Scan]) -> Times:
    """Find out when scans were taken.

    Dates (``acq_time``) of ``sub-X_ses-Y_scans.tsv`` go before those of ``sub-X_sessions.tsv``,
    and dates before ages (``age``, in years unless the JSON file beside the table says otherwise).

    Parameters
    ----------
    bids_dir
        The dataset with the tables.
    scans
        Of one participant, one a session, in the order of the sessions' labels.

    Returns
    -------
    Tables that cannot be read, and dates or ages that contradict one another, are told of in
    `problems`, and no years are given.
    """
    try:
        dates, ages = _dates(bids_dir, scans), _ages(bids_dir, scans)
    except DataError as error:
        told = str(error).replace(str(bids_dir), "BIDS_DIR")  # pages may be shared
        return Times((), "", (told,))
    if isinstance(dates, str):
        return Times((), "", (dates,))
    by_age, by_date = _complete(ages), _complete(dates)
    if by_age and by_date:
        gaps = [(b - by_date[0]) - (a - by_age[0]) for a, b in zip(by_age, by_date, strict=True)]
        if max(map(abs, gaps)) > SAME_YEARS:
            problem = (
                f"Dates and ages of sub-{scans[0].subject}'s sessions contradict each other by "
                f"{max(map(abs, gaps)):.1f} years in sessions.tsv and scans.tsv."
            )
            return Times((), "", (problem,))
    years, source = (by_date, "dates") if by_date else (by_age, "ages" if by_age else "")
    if not years:
        missing = [
            f"ses-{scan.session}"
            for scan, date, age in zip(scans, dates, ages, strict=True)
            if date is None and age is None
        ]
        problem = (
            f"Neither acq_time in sub-{scans[0].subject}_sessions.tsv or scans.tsv nor age in "
            "sessions.tsv is there for all sessions"
            + (f" (none for {', '.join(missing)})." if missing else ".")
        )
        return Times((), "", (problem,))
    if len(set(years)) < len(years):
        problem = f"Sessions of sub-{scans[0].subject} have the same {source}: nothing per year."
        return Times((), "", (problem,))
    return Times(years, source)


def _complete(values: Sequence[float | None]) -> tuple[float, ...]:
    """The values if all of them are there; else none."""
    known = tuple(value for value in values if value is not None)
    return known if len(known) == len(values) else ()


def _dates(bids_dir: Path, scans: Sequence[Scan]) -> list[float | None] | str:
    """Dates in years, or a sentence on two tables that contradict each other."""
    of_sessions = _of_sessions(bids_dir, scans[0])
    found: list[float | None] = []
    for scan in scans:
        folder = bids_dir / f"sub-{scan.subject}" / f"ses-{scan.session}"
        name = f"sub-{scan.subject}_ses-{scan.session}_scans.tsv"
        rows = _rows(read_table(folder / name))
        files = [row for row in rows if Path(row.get("filename", "")).name.startswith(scan.name)]
        by_scan = _date(files[0].get("acq_time", "")) if files else None
        by_session = _date(of_sessions.get(str(scan.session), {}).get("acq_time", ""))
        if by_scan is not None and by_session is not None:
            days = abs(by_scan - by_session) * DAYS_PER_YEAR
            if days > SAME_DAYS:
                return (
                    f"{name} and sub-{scan.subject}_sessions.tsv contradict each other: their "
                    f"acq_time of ses-{scan.session} is {days:.0f} days apart."
                )
        found.append(by_scan if by_scan is not None else by_session)
    return found


def _ages(bids_dir: Path, scans: Sequence[Scan]) -> list[float | None]:
    table = bids_dir / f"sub-{scans[0].subject}" / f"sub-{scans[0].subject}_sessions.tsv"
    unit = 1 / _PER_YEAR[_age_unit(table.with_suffix(".json"), bids_dir / "sessions.json")]
    of_sessions = _of_sessions(bids_dir, scans[0])
    ages = [_number(of_sessions.get(str(scan.session), {}).get("age", "")) for scan in scans]
    return [None if age is None else age * unit for age in ages]


def _age_unit(*dictionaries: Path) -> str:
    for path in dictionaries:
        try:
            said = json.loads(path.read_text(encoding="utf-8"))["age"]["Units"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        for unit in _PER_YEAR:
            if str(said).lower().startswith(unit):
                return unit
    return "year"


def _of_sessions(bids_dir: Path, scan: Scan) -> dict[str, Mapping[str, str]]:
    """Rows of a participant's sessions.tsv by the sessions' labels."""
    folder = bids_dir / f"sub-{scan.subject}"
    rows = _rows(read_table(folder / f"sub-{scan.subject}_sessions.tsv"))
    return {row.get("session_id", "").removeprefix("ses-"): row for row in rows}


def _rows(table: Table | None) -> Sequence[Mapping[str, str]]:
    return table.rows if table is not None else ()


def _date(text: str) -> float | None:
    """Years since the beginning of our era; ``None`` for what is no date."""
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None
    return (moment - datetime(1, 1, 1)).total_seconds() / 86400 / DAYS_PER_YEAR


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
