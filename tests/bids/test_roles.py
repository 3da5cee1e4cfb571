"""What each scan is good for: from tables, or from the dataset it lies in."""

from __future__ import annotations

from pathlib import Path

import pytest

from synthtumour_bids.errors import DataError, UnknownRoleError, UsageError
from tests.builders.datasets import collect, make, table


def roles(main: Path, *others: Path, **more) -> dict[str, str]:
    scans = collect(main, *others, **more).everything
    return {f"{scan.dataset_name}/{scan.subject}": scan.role.value for scan in scans}


def test_roles_by_participants_table(main):
    assert roles(main) == {
        "raw/01": "tumourfree",
        "raw/02": "tumour",
        "raw/03": "tumour",
    }


@pytest.mark.parametrize(
    "value", ["Control", "controls", "HEALTHY", "hc", "tumour-free", "tumorfree"]
)
def test_words_for_tumourfree(main, value):
    table(main, f"01\t{value}", "02\tglioma", "03\ttumor")
    assert roles(main)["raw/01"] == "tumourfree"


def test_tables_as_people_write_them(main):
    """Byte-order mark, Windows line ends, spaces, several rows a participant."""
    (main / "participants.tsv").write_bytes(
        b"\xef\xbb\xbfparticipant_id\tage\tDx \r\nsub-01\t5\tHC \r\nsub-02\t\tGlioma\r\n"
        b"sub-02\t\tGlioma\r\nsub-03\tn/a\tTUMOUR\r\n"
    )
    assert roles(main, group_column="Dx")["raw/01"] == "tumourfree"


def test_unknown_groups_are_listed(main):
    table(main, "sub-01\tcontrol", "sub-02\tMS", "sub-03\tAstro")
    with pytest.raises(UnknownRoleError) as info:
        collect(main)
    for part in (
        "astro, ms",
        "Astro, MS, control",
        "--tumour-value",
        "--tumourfree-value",
        "group",
    ):
        assert part in str(info.value)
    assert roles(main, tumour_values=("MS", "astro"))["raw/02"] == "tumour"
    with pytest.raises(UnknownRoleError):
        collect(main, tumour_values=("MS", "astro"), tumourfree_values=("normal",))
    with pytest.raises(UsageError, match="both roles"):
        collect(main, tumour_values=("control",))


@pytest.mark.parametrize("value", ["n/a", "", "NaN"])
def test_missing_groups_are_an_error(main, value):
    table(main, "sub-01\tcontrol", f"sub-02\t{value}", "sub-03\ttumour")
    with pytest.raises(DataError, match=r"says nothing.*participants 02.*--exclude"):
        collect(main)
    assert "raw/02" not in roles(main, exclude_participant_label=("02",))


def test_participants_that_are_not_in_the_table_are_an_error(main):
    table(main, "sub-01\tcontrol", "sub-02\ttumour")
    with pytest.raises(DataError, match="participants 03"):
        collect(main)


def test_two_groups_of_one_participant_are_an_error(main):
    table(main, "sub-01\tcontrol", "sub-01\ttumour")
    with pytest.raises(DataError, match="two values"):
        collect(main)


def test_without_table_or_column_it_is_said_what_to_do(main):
    table(main, "sub-01\t5", header="participant_id\tage")
    with pytest.raises(DataError, match=r"no column 'group'.*participant_id, age.*--group-column"):
        collect(main)
    (main / "participants.tsv").unlink()
    with pytest.raises(DataError, match=r"does not exist.*--tumourfree-dir"):
        collect(main)


def test_with_a_model_whoever_is_not_called_tumourfree_is_segmented(main):
    table(main, "sub-01\tcontrol", "sub-02\tn/a", "sub-03\tMS")
    assert roles(main, model=main) == {
        "raw/01": "tumourfree",
        "raw/02": "tumour",
        "raw/03": "tumour",
    }
    (main / "participants.tsv").unlink()
    assert set(roles(main, model=main).values()) == {"tumour"}


def test_roles_by_dataset(main, healthy, tmp_path):
    (main / "participants.tsv").unlink()
    more = make(tmp_path / "more", "sub-01_FLAIR.nii.gz")
    assert roles(main, healthy, more) == {
        "raw/01": "tumour",
        "raw/02": "tumour",
        "raw/03": "tumour",
        "tumourfree/01": "tumourfree",
        "tumourfree/h1": "tumourfree",
        "tumourfree2/01": "tumourfree",
    }


def test_controls_of_the_main_dataset_stay_controls(main, healthy):
    assert roles(main, healthy)["raw/01"] == "tumourfree"
    table(main, "sub-01\tsomething", "sub-02\tHC")
    assert roles(main, healthy)["raw/01"] == "tumour"
    assert roles(main, healthy)["raw/02"] == "tumourfree"
