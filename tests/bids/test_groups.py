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


def test_what_is_no_table_is_not_taken_for_one(main):
    (main / "participants.tsv").unlink()
    for name in ("participants.json", "participants.md", "participants.tsv~"):
        (main / name).write_text("{}")
    assert set(roles(main, model=main).values()) == {"tumour"}


def test_two_groups_of_one_participant_are_of_concern_to_runs_with_scans_of_theirs(main):
    rows = ("01\tcontrol", "02\tcontrol", "02\ttumour", "03\ttumour", "99\tcontrol", "99\ttumour")
    table(main, *rows)
    alone = {"raw/01": "tumourfree", "raw/03": "tumour"}
    assert roles(main, exclude_participant_label=("02",)) == alone
    assert roles(main, model=main, participant_label=("01", "03")) == alone
    with pytest.raises(DataError, match=r"two values in .* for participant 02.*--exclude-part"):
        roles(main)
    table(main, *(row.removeprefix("0") for row in rows))
    with pytest.raises(DataError, match=r"two values in .* for participant 2: 'control' and 'tu"):
        roles(main, model=main, participant_label=("02",))


def test_participants_without_a_row_are_told_from_those_with_an_empty_cell(main):
    table(main, "sub01\tcontrol", "02\t", "sub03\ttumour")
    with pytest.raises(DataError, match=r"no row of participants 01, 03; its labels are sub01, 02"):
        roles(main)
    with pytest.raises(DataError, match="says nothing in column 'group' of participants 02"):
        roles(main, exclude_participant_label=("01", "03"))
    table(main)
    with pytest.raises(DataError, match="no row of participants 01, 02, 03; its labels are none"):
        roles(main)


@pytest.mark.parametrize("prefix", ["sub_", "SUB_", "sub "])
def test_labels_with_another_sign_after_sub_are_found_and_told(main, prefix, caplog):
    table(main, f"{prefix}01\tcontrol", f"{prefix}02\tpatient", f"{prefix}03\tpatient")
    assert roles(main)["raw/01"] == "tumourfree"
    assert f"that of {prefix}01 is taken for it" in caplog.text
