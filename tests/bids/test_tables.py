"""Tables as people's tools leave them."""

from __future__ import annotations

import pytest

from synthtumour_bids.bids.tables import read_table
from synthtumour_bids.errors import DataError

ROWS = "participant_id\tremark\tgroup\r\nsub-01\tnaïve\tcontrol\r\nsub-02\t\ttumour\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "cp1252"])
def test_encodings(tmp_path, caplog, encoding):
    content = b"\xff\xfe" + ROWS.encode("utf-16-le") if "bom" in encoding else ROWS.encode(encoding)
    (tmp_path / "t.tsv").write_bytes(content)
    table = read_table(tmp_path / "t.tsv")
    assert table is not None
    assert table.columns == ("participant_id", "remark", "group")
    assert [row["remark"] for row in table.rows] == ["naïve", ""]
    assert ("not in UTF-8" in caplog.text) == (encoding == "cp1252")


def test_quotes_are_characters_like_others(tmp_path):
    (tmp_path / "t.tsv").write_text('id\tremark\n1\t"suspected\n2\tno MRI"\n3\t""\n')
    table = read_table(tmp_path / "t.tsv")
    assert table is not None
    assert [row["remark"] for row in table.rows] == ['"suspected', 'no MRI"', '""']


@pytest.mark.parametrize("character", ["\u2028", "\x0b", "\x85", "\x1c"])
def test_odd_separators_stay_in_their_cell(tmp_path, character):
    (tmp_path / "t.tsv").write_text(f"id\tremark\n1\ta{character}b\n2\tc\n", encoding="utf-8")
    table = read_table(tmp_path / "t.tsv")
    assert table is not None
    assert [row["id"] for row in table.rows] == ["1", "2"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_short_rows_and_empty_lines(tmp_path, end):
    (tmp_path / "t.tsv").write_bytes(end.join(["a\tb", "1\t2", "", "3", ""]).encode())
    table = read_table(tmp_path / "t.tsv")
    assert table is not None
    assert list(table.rows) == [{"a": "1", "b": "2"}, {"a": "3", "b": ""}]


def test_no_table(tmp_path):
    assert read_table(tmp_path / "none.tsv") is None


def test_a_row_with_more_cells_than_columns_is_refused(tmp_path):
    (tmp_path / "t.tsv").write_text("a\tb\n\n1\t2\t\t \n1\t2\t\t3\n")
    with pytest.raises(DataError, match=r"Line 4 of .*t\.tsv has 4 cells, but its header 2"):
        read_table(tmp_path / "t.tsv")


def test_columns_that_are_there_twice_must_agree_where_they_are_used(tmp_path):
    (tmp_path / "t.tsv").write_text("a\tb\tc\ta\tb\n1\t2\t3\t1\t2\n4\t5\t6\t7\n")
    table = read_table(tmp_path / "t.tsv")
    assert table is not None
    table.check("c", "none")
    for column in "ab":
        with pytest.raises(DataError, match=f"several columns '{column}' that differ"):
            table.check(column)
