"""When sessions were: dates, ages, and what is wrong with them, in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.times import Times, read_times
from tests.builders.jobs import make_scan


def times_of(
    root: Path,
    rows: list[str],
    *,
    scans_tsv: dict[str, str] | None = None,
    unit: str = "",
    dictionary: bytes = b"",
) -> Times:
    """Times of the sessions 1 and 2, by these rows of sessions.tsv, the header first."""
    folder = root / "sub-01"
    folder.mkdir(parents=True)
    (folder / "sub-01_sessions.tsv").write_text("\n".join(rows) + "\n")
    if unit:
        (folder / "sub-01_sessions.json").write_text(json.dumps({"age": {"Units": unit}}))
    if dictionary:
        (folder / "sub-01_sessions.json").write_bytes(dictionary)
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


@pytest.mark.parametrize(
    ("unit", "years"),
    [
        *[(unit, 1.5) for unit in ("", "n/a", "years", "Year(s)", "yrs", "a", "decimal years")],
        *[(unit, 1.5 / 12) for unit in ("months", "mo", "Mos.", "M", "age in months")],
        *[(unit, 1.5 * 7 / 365.25) for unit in ("weeks", "wk", "postmenstrual weeks")],
        *[(unit, 1.5 / 365.25) for unit in ("day", "d")],
    ],
)
def test_ages_are_in_years_unless_their_dictionary_says_otherwise(
    tmp_path: Path, unit: str, years: float
) -> None:
    times = times_of(tmp_path, AGES, unit=unit)
    assert times.source == "ages"
    assert times.years[1] - times.years[0] == pytest.approx(years)


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b'{"note": "\xe4", '])
def test_a_dictionary_may_have_another_encoding(tmp_path: Path, before: bytes) -> None:
    text = b'"age": {"Units": "months"}}'
    whole = before + text if b"{" in before else before + b"{" + text
    times = times_of(tmp_path, AGES, dictionary=whole)
    assert times.years[1] - times.years[0] == pytest.approx(1.5 / 12)


@pytest.mark.parametrize(
    ("dictionary", "sentence"),
    [
        (b'{"age": {"Units": "fortnights"}}', "ages are in 'fortnights'; known units are year"),
        (b'{"age": {"Units": "years, months"}}', "cannot be told"),
        (b'{"age": {"Units": "1000 days"}}', "cannot be told"),
        (b'{"age": {"Un', "sub-01_sessions.json is no JSON"),
        (b"/annex/objects/MD5E-s30--abc", "has not been fetched"),
    ],
)
def test_ages_whose_unit_is_not_known_tell_no_time(
    tmp_path: Path, dictionary: bytes, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    times = times_of(tmp_path, AGES, dictionary=dictionary)
    assert times.years == ()
    assert sentence in times.problems[0]
    assert str(tmp_path) not in times.problems[0]
    ages = [f"{date}\t{age}" for date, age in zip(DATES, ("age", "40", "99"), strict=True)]
    times = times_of(tmp_path / "dated", ages, dictionary=dictionary)
    assert (times.source, times.problems) == ("dates", ())
    assert "Dates are believed alone" in caplog.text


def test_rows_of_one_session_may_add_up(tmp_path: Path) -> None:
    times = times_of(tmp_path, [*DATES, "ses-2", DATES[2]])
    assert times.years[1] - times.years[0] == pytest.approx(0.5, abs=0.01)


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
        ([*DATES, "ses-2\t1901-07-02"], None, "rows of ses-2 in sub-01_sessions.tsv contradict"),
        ([*AGES, "ses-2\t46"], None, "contradict each other in column 'age'"),
        (
            [*DATES[:2]],
            {"2": "1900-07-02\nanat/sub-01_ses-2_FLAIR.nii.gz\t1902-07-02"},
            "rows of sub-01_ses-2_FLAIR in sub-01_ses-2_scans.tsv contradict",
        ),
        (
            [f"{DATES[0]}\tacq_time", f"{DATES[1]}\t1900-01-02", DATES[2]],
            None,
            "several columns 'acq_time'",
        ),
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
