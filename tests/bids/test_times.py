"""When sessions were: dates, ages, and what is wrong with them, in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.times import Times, read_times
from tests.builders.jobs import make_scan


def times_of(
    root: Path, rows: list[str], *, scans_tsv: dict[str, str] | None = None, unit: str = ""
) -> Times:
    """Times of the sessions 1 and 2, by these rows of sessions.tsv, the header first."""
    folder = root / "sub-01"
    folder.mkdir()
    (folder / "sub-01_sessions.tsv").write_text("\n".join(rows) + "\n")
    if unit:
        (folder / "sub-01_sessions.json").write_text(json.dumps({"age": {"Units": unit}}))
    for session, date in (scans_tsv or {}).items():
        (folder / f"ses-{session}").mkdir()
        (folder / f"ses-{session}" / f"sub-01_ses-{session}_scans.tsv").write_text(
            f"filename\tacq_time\nanat/sub-01_ses-{session}_FLAIR.nii.gz\t{date}\n"
        )
    scans: list[Scan] = [make_scan(root, "01", session=session) for session in "12"]
    return read_times(root, scans)


DATES = ["session_id\tacq_time", "ses-1\t1900-01-01T09:00:00", "ses-2\t1900-07-02"]
AGES = ["session_id\tage", "ses-1\t40", "ses-2\t41.5"]


def test_dates_and_ages_give_an_interval(tmp_path: Path) -> None:
    times = times_of(tmp_path, DATES)
    assert (times.source, times.problems) == ("dates", ())
    assert times.years[1] - times.years[0] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(("unit", "years"), [("", 1.5), ("years", 1.5), ("months", 1.5 / 12)])
def test_ages_are_in_years_unless_their_dictionary_says_otherwise(
    tmp_path: Path, unit: str, years: float
) -> None:
    times = times_of(tmp_path, AGES, unit=unit)
    assert times.source == "ages"
    assert times.years[1] - times.years[0] == pytest.approx(years)


def test_the_order_is_that_of_dates_not_of_labels(tmp_path: Path) -> None:
    times = times_of(tmp_path, [DATES[0], "ses-1\t1901-01-01", "ses-2\t1900-01-01"])
    assert times.order == (1, 0)


@pytest.mark.parametrize(
    ("rows", "scans_tsv", "sentence"),
    [
        (DATES[:2], None, "none for ses-2"),
        ([*DATES[:2], "ses-2\tn/a"], None, "none for ses-2"),
        ([*DATES[:2], "ses-2\tlast May"], None, "none for ses-2"),
        (["session_id", "ses-1", "ses-2"], None, "none for ses-1, ses-2"),
        ([*DATES[:2], DATES[1].replace("1\t", "2\t")], None, "the same dates"),
        (DATES, {"1": "1900-01-01", "2": "1901-07-02"}, "contradict each other"),
        (
            ["session_id\tage\tacq_time", "ses-1\t40\t1900-01-01", "ses-2\t45\t1900-07-02"],
            None,
            "contradict each other by 4.5 years",
        ),
    ],
)
def test_what_is_missing_or_contradictory_is_told(
    tmp_path: Path, rows: list[str], scans_tsv: dict[str, str] | None, sentence: str
) -> None:
    times = times_of(tmp_path, rows, scans_tsv=scans_tsv)
    assert times.years == ()
    assert sentence in times.problems[0]
