"""What each scan is good for: from tables, or from the dataset it lies in."""

from __future__ import annotations

from pathlib import Path

import pytest

from synthtumour_bids.errors import DataError, UnknownRoleError, UsageError
from synthtumour_bids.settings import Step
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


def test_with_a_model_a_dataset_without_groups_is_one_of_tumours(main):
    (main / "participants.tsv").unlink()
    assert set(roles(main, model=main).values()) == {"tumour"}
    table(main, "sub-01\t5", header="participant_id\tage")
    assert set(roles(main, model=main).values()) == {"tumour"}


@pytest.mark.parametrize("more", [{"group_column": "Dx"}, {"tumourfree_values": ("HC",)}])
def test_groups_that_were_spoken_of_must_be_there(main, healthy, more):
    table(main, "sub-01\t5", header="participant_id\tage")
    with pytest.raises(DataError, match="It cannot be told which participants have a tumour"):
        roles(main, healthy, **more)
    with pytest.raises(DataError, match="It cannot be told which participants have a tumour"):
        roles(main, model=main, **more)


def test_groups_are_asked_about_with_other_datasets_and_networks_too(main, healthy):
    table(main, "sub-01\tcontrol", "sub-02\tMS", "sub-03\ttumour")
    for more in ({"model": main}, {}):
        others = () if more else (healthy,)
        with pytest.raises(UnknownRoleError, match="ms"):
            roles(main, *others, **more)
        given = roles(main, *others, **more, tumour_values=("MS", "tumour"))
        assert (given["raw/01"], given["raw/02"]) == ("tumourfree", "tumour")


@pytest.mark.parametrize(
    "rows",
    [
        ("1\tcontrol", "2\tpatient", "3\tpatient"),
        ("1.0\tcontrol", "2.0\tpatient", "3.0\tpatient"),
        ("SUB-01\tcontrol", "Sub-02\tpatient", "sub-03\tpatient"),
    ],
)
def test_labels_as_spreadsheets_write_them_are_found_and_told(main, healthy, rows, caplog):
    table(main, *rows)
    assert roles(main, healthy)["raw/01"] == "tumourfree"
    assert "is taken for it" in caplog.text


def test_labels_that_could_be_several_are_asked_about(main):
    table(main, "1\tcontrol", "001\tpatient", "02\tpatient", "03\tpatient")
    with pytest.raises(DataError, match="several that could be meant: 1, 001"):
        collect(main)


def test_the_row_of_somebody_who_is_there_is_nobody_elses(tmp_path, main, caplog):
    names = ("01", "001", "A1", "a1", "2")
    free = make(tmp_path / "free", *(f"sub-{name}_FLAIR.nii.gz" for name in names))
    table(free, "01\tcontrol", "A1\tcontrol", "02\tcontrol")
    assert {key for key in roles(main, free) if "free" in key} == {
        *("tumourfree/01", "tumourfree/2", "tumourfree/A1")
    }
    assert "(nothing): 001, a1 are left out" in caplog.text
    with pytest.raises(
        DataError, match="has no row of participants 001; its labels are 01, A1, 02"
    ):
        roles(free, participant_label=("001",), model=free)


def test_a_row_that_could_be_of_several_is_asked_about(tmp_path):
    root = make(tmp_path / "bids", "sub-1_FLAIR.nii.gz", "sub-001_FLAIR.nii.gz")
    table(root, "01\tcontrol")
    for more in ({}, {"participant_label": ("1",)}):
        with pytest.raises(DataError, match="one, 01, that could be of any of 001, 1"):
            roles(root, model=root, **more)


def test_columns_of_one_name_are_asked_about_where_they_differ(main):
    rows = [f"sub-0{n}\tcontrol\t{value}" for n, value in enumerate(("tumour", *["hc"] * 2), 1)]
    table(main, *rows, header="participant_id\tgroup\tgroup")
    with pytest.raises(DataError, match=r"participants\.tsv has several columns 'group'"):
        collect(main, model=main)
    table(main, *(f"sub-0{n}\thc\thc" for n in (1, 2, 3)), header="participant_id\tgroup\tgroup")
    assert set(roles(main).values()) == {"tumourfree"}
    table(main, *rows, header="participant_id\tGroup\tGROUP")
    with pytest.raises(DataError, match=r"several that could be meant: Group, GROUP.*--group-col"):
        collect(main, model=main)


def test_a_row_that_is_longer_than_the_header_is_asked_about(main):
    rows = ["sub-01\tsaw\tcontrol\tpatient", "sub-02\t\tpatient", "sub-03\t\tpatient\t"]
    table(main, *rows, header="participant_id\tcomment\tgroup")
    with pytest.raises(DataError, match=r"Line 2 of .*participants\.tsv has 4 cells"):
        collect(main, model=main)
    table(main, "sub-01\t\tcontrol", *rows[1:], header="participant_id\tcomment\tgroup")
    assert roles(main)["raw/01"] == "tumourfree"


def test_a_column_in_another_case_is_found_and_told(main, caplog):
    table(main, "sub-01\tHC", "sub-02\tglioma", "sub-03\tglioma", header="participant_id\tGroup")
    assert roles(main, model=main)["raw/01"] == "tumourfree"
    assert "'Group' is taken for it" in caplog.text


@pytest.mark.parametrize("separator", [",", ";"])
def test_tables_without_tabs_are_refused(main, healthy, separator):
    text = "participant_id\tgroup\nsub-01\tcontrol\n".replace("\t", separator)
    (main / "participants.tsv").write_text(text)
    with pytest.raises(DataError, match=r"no column 'participant_id'.*tabs between"):
        roles(main, healthy)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda path: path.write_text("/annex/objects/MD5E-s1--0.tsv\n"), "not been fetched"),
        (lambda path: path.symlink_to(".git/annex/objects/gone.tsv"), "link to a file that is not"),
    ],
)
def test_tables_that_were_not_fetched_are_told(main, healthy, write, words):
    (main / "participants.tsv").unlink()
    write(main / "participants.tsv")
    for given in ({"model": main}, {}):
        with pytest.raises(DataError, match=words):
            roles(main, *(() if given else (healthy,)), **given)


def test_patients_of_a_tumourfree_dataset_are_no_hosts(main, tmp_path, caplog):
    (main / "participants.tsv").unlink()
    epilepsy = make(tmp_path / "epilepsy", *(f"sub-{n}_FLAIR.nii.gz" for n in ("a", "b", "c")))
    table(epilepsy, "a\thc", "b\tfcd", "c\thc")
    assert {key for key in roles(main, epilepsy) if "free" in key} == {
        "tumourfree/a",
        "tumourfree/c",
    }
    assert "b are left out" in caplog.text
    assert "--tumourfree-value" in caplog.text
    given = roles(
        main, epilepsy, tumourfree_values=("hc", "fcd"), tumour_values=("tumour",), model=main
    )
    assert "tumourfree/b" in given
    table(epilepsy, "a\tA", "b\tB", "c\tC")
    with pytest.raises(UnknownRoleError, match="calls none of its 3 participants tumour-free"):
        roles(main, epilepsy)


def test_in_a_job_for_one_participant_patients_of_a_tumourfree_dataset_stop_nothing(
    main, tmp_path, caplog
):
    (main / "participants.tsv").unlink()
    epilepsy = make(tmp_path / "epilepsy", *(f"sub-{n}_FLAIR.nii.gz" for n in ("01", "a", "b")))
    table(epilepsy, "01\tfcd", "a\thc", "b\tfcd")

    def job(label: str) -> dict[str, str]:
        return roles(main, epilepsy, participant_label=(label,), steps=(Step.PREPROCESS,))

    assert job("01") == {"raw/01": "tumour"}
    assert "01 are left out" in caplog.text
    assert job("a") == {"tumourfree/a": "tumourfree"}
    with pytest.raises(DataError, match=r"Nothing is to be done for participants b .* left out"):
        job("b")
    table(epilepsy, "01\tA", "a\tB", "b\tC")
    with pytest.raises(UnknownRoleError, match="calls none of its 3 participants tumour-free"):
        job("b")


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
