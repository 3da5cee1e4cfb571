"""What a terminal or a table gets of texts that anybody may have written."""

from __future__ import annotations

import csv
import logging
import unicodedata
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthtumour_bids.__main__ import main
from synthtumour_bids.execution.logs import start_logging
from synthtumour_bids.files import write_tsv
from synthtumour_bids.texts import visible

ANY = st.text(st.characters(), max_size=30)  # halves of characters included


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sub-Jürgen 山田 ½", "sub-Jürgen 山田 ½"),
        ("a\nb\tc", "a\nb\tc"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("\udcff", r"\udcff"),
        ("\U000e0001", r"\U000e0001"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(ANY)
def test_every_text_can_be_written_and_obeyed_by_nobody(text: str) -> None:
    shown = visible(text)
    shown.encode("utf-8")
    assert not {unicodedata.category(one) for one in shown if one not in "\n\t"} & {"Cc", "Cs"}
    assert visible(shown) == shown


@given(st.lists(ANY, min_size=1, max_size=4))
def test_a_table_has_the_rows_it_was_given(values: list[str]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "table.tsv"
        write_tsv(path, [{"a": value, "b": 1} for value in values], ["a", "b"])
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert [len(row) for row in rows] == [2] * (len(values) + 1)


def test_neither_errors_nor_the_log_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "\x1b[2J"), str(tmp_path / "out"), "participant"]) == 2
    start_logging()
    logging.getLogger("synthtumour_bids").warning("sub-\x1b]0;title\x07: odd")
    told = capsys.readouterr().err
    assert r"\x1b[2J" in told
    assert r"sub-\x1b]0;title\x07: odd" in told
    assert "\x1b" not in told
