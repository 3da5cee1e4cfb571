"""The table of participants as people name and fill it in."""

from __future__ import annotations

import pytest

from synthtumour_bids.errors import DataError
from tests.bids.test_roles import roles
from tests.builders.datasets import table


@pytest.mark.parametrize(
    "name", ["Participants.tsv", "participants.csv", "participants.TSV", "participants.tsv.txt"]
)
def test_a_table_under_another_name_is_told_and_no_role_assumed(main, healthy, name):
    (main / "participants.tsv").rename(main / name)
    told = pytest.raises(DataError, match=rf"main has no participants\.tsv but {name}: save that")
    with told:
        roles(main, healthy)
    with told:
        roles(main, model=main)
    with told:
        roles(healthy, main, model=main)


def test_a_dictionary_of_columns_without_a_table_is_no_table(main):
    (main / "participants.tsv").unlink()
    (main / "participants.json").write_text("{}")
    assert set(roles(main, model=main).values()) == {"tumour"}
