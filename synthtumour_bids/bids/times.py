"""When sessions were: dates and ages in ``sessions.tsv`` and ``scans.tsv``."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.tables import read_table, read_text
from synthtumour_bids.bids.wording import listed
from synthtumour_bids.errors import DataError
from synthtumour_bids.safe_files import parse_json

LOGGER = logging.getLogger(__name__)

DAYS_PER_YEAR = 365.25
SAME_DAYS = 1.5  # tables may tell of another hour of one visit, or have rounded it
SAME_YEARS = 1.0  # ages are often whole years
_PER_YEAR = {"year": 1.0, "month": 12.0, "week": DAYS_PER_YEAR / 7, "day": DAYS_PER_YEAR}
_SHORT = {
    **dict.fromkeys(("yr", "yrs"), "year"),
    **dict.fromkeys(("mo", "mos", "mon", "mth", "mths"), "month"),
    **dict.fromkeys(("wk", "wks"), "week"),
}
_LETTERS = {"y": "year", "a": "year", "m": "month", "w": "week", "d": "day"}


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
    `problems`, and no years are given; nor by ages in a unit that is not known.
    """

    def told(error: DataError) -> str:
        return str(error).replace(str(bids_dir), "BIDS_DIR")  # pages may be shared

    try:
        subject = f"sub-{scans[0].subject}"
        table = bids_dir / subject / f"{subject}_sessions.tsv"
        sessions = _rows(table, "session_id", "acq_time", "age")
        dates = _dates(bids_dir, scans, sessions)
        ages = [_of_session(sessions, scan, "age", _number) for scan in scans]
    except DataError as error:
        return Times((), "", (told(error),))
    if isinstance(dates, str):
        return Times((), "", (dates,))
    try:
        ages = _in_years(ages, table.with_suffix(".json"), bids_dir / "sessions.json")
    except DataError as error:
        if not _complete(dates):
            return Times((), "", (told(error),))
        LOGGER.warning("%s Dates are believed alone.", told(error))
        ages = [None] * len(scans)
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


def _dates(
    bids_dir: Path, scans: Sequence[Scan], sessions: Sequence[Mapping[str, str]]
) -> list[float | None] | str:
    """Dates in years, or a sentence on two tables that contradict each other."""
    found: list[float | None] = []
    for scan in scans:
        folder = bids_dir / f"sub-{scan.subject}" / f"ses-{scan.session}"
        name = f"sub-{scan.subject}_ses-{scan.session}_scans.tsv"
        rows = _rows(folder / name, "filename", "acq_time")
        files = [row for row in rows if Path(row.get("filename", "")).name.startswith(scan.name)]
        by_scan = _only(files, "acq_time", _date, f"{scan.name} in {name}")
        by_session = _of_session(sessions, scan, "acq_time", _date)
        if by_scan is not None and by_session is not None:
            days = abs(by_scan - by_session) * DAYS_PER_YEAR
            if days > SAME_DAYS:
                return (
                    f"{name} and sub-{scan.subject}_sessions.tsv contradict each other: their "
                    f"acq_time of ses-{scan.session} is {days:.0f} days apart."
                )
        found.append(by_scan if by_scan is not None else by_session)
    return found


def _in_years(ages: Sequence[float | None], *dictionaries: Path) -> list[float | None]:
    if all(age is None for age in ages):
        return list(ages)  # their unit is no matter
    unit = 1 / _PER_YEAR[_age_unit(*dictionaries)]
    return [None if age is None else age * unit for age in ages]


def _age_unit(*dictionaries: Path) -> str:
    for path in dictionaries:
        text = read_text(path)
        if text is None:
            continue
        try:
            column = parse_json(text.encode(), str(path)).get("age")
        except ValueError as error:
            msg = f"{error}: the unit of ages cannot be told."
            raise DataError(msg) from error
        said = column.get("Units") if isinstance(column, dict) else None
        if said in (None, "", "n/a"):
            continue
        unit = _unit(str(said))
        if unit is None:
            msg = (
                f"{path} says that ages are in {said!r}; known units are {listed(_PER_YEAR)}: how "
                "much time they mean cannot be told."
            )
            raise DataError(msg)
        return unit
    return "year"


def _unit(said: str) -> str | None:
    """The unit that a text names; ``None`` where that is none, several, or a multiple of one."""
    text = said.strip().lower()
    if text in _LETTERS:
        return _LETTERS[text]
    words = re.findall(r"[a-z]+", text)
    found = {unit for word in words for unit in _PER_YEAR if word.startswith(unit)}
    found |= {_SHORT[word] for word in words if word in _SHORT}
    return found.pop() if len(found) == 1 and not text[0].isdigit() else None


def _of_session(
    rows: Sequence[Mapping[str, str]], scan: Scan, column: str, read: Callable[[str], float | None]
) -> float | None:
    """What rows of a participant's sessions.tsv say of the session of a scan."""
    own = [row for row in rows if row.get("session_id", "").removeprefix("ses-") == scan.session]
    return _only(own, column, read, f"ses-{scan.session} in sub-{scan.subject}_sessions.tsv")


def _only(
    rows: Sequence[Mapping[str, str]],
    column: str,
    read: Callable[[str], float | None],
    what: str,
) -> float | None:
    """The one value of some rows; ``None`` where none of them has any."""
    values = {read(row.get(column, "")) for row in rows} - {None}
    if len(values) > 1:
        msg = f"Several rows of {what} contradict each other in column {column!r}. Keep one."
        raise DataError(msg)
    return next(iter(values), None)


def _rows(path: Path, *columns: str) -> Sequence[Mapping[str, str]]:
    """Rows of a table that is believed in some columns; none where there is no such table."""
    table = read_table(path)
    if table is None:
        return ()
    table.check(*columns)
    return table.rows


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
