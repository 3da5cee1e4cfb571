"""Which scans a run works on: what is asked for is found, or said to be missing."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthtumour_bids.bids.inputs import collect_scans, find_brain_mask, find_truth
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError, UnknownRoleError, UsageError
from synthtumour_bids.settings import Role, Settings, Step
from tests.strategies import entities


def make(root: Path, *names: str, content: str = "") -> Path:
    """Make empty images in the folders their names ask for."""
    root.mkdir(parents=True, exist_ok=True)
    for name in names:
        parts = name.split("_")
        folder = root / parts[0]
        if len(parts) > 1 and parts[1].startswith("ses-"):
            folder /= parts[1]
        folder /= "dwi" if parts[-1].split(".")[0] in ("dwi", "trace", "ADC") else "anat"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return root


def table(root: Path, *rows: str, header: str = "participant_id\tgroup") -> None:
    (root / "participants.tsv").write_text("\n".join([header, *rows]) + "\n")


@pytest.fixture
def main(tmp_path) -> Path:
    root = make(
        tmp_path / "main",
        "sub-01_FLAIR.nii.gz",
        "sub-02_ses-1_acq-3D_FLAIR.nii.gz",
        "sub-02_ses-2_run-01_FLAIR.nii.gz",
        "sub-02_ses-2_run-02_FLAIR.nii.gz",
        "sub-03_FLAIR.nii",
        "sub-01_T1w.nii.gz",
        "sub-01_FLAIR.json",
    )
    table(root, "sub-01\tcontrol", "sub-02\tPatient", "sub-03\tTumour")
    return root


@pytest.fixture
def healthy(tmp_path) -> Path:
    return make(tmp_path / "healthy", "sub-01_FLAIR.nii.gz", "sub-h1_ses-9_FLAIR.nii.gz")


def collect(main: Path, *others: Path, **more):
    return collect_scans(Settings(main, main.parent / "out", tumourfree_dir=others, **more))


def keys(scans) -> list[str]:
    return [scan.key for scan in scans]


def found(main: Path, *others: Path, **more) -> list[str]:
    """Keys without what is the same in all of them."""
    selected = collect(main, *others, **more).selected
    return [key.removeprefix("raw/").removesuffix("_FLAIR") for key in keys(selected)]


# ---------------------------------------------------------------------- what is found


def test_all_sessions_acquisitions_and_runs_are_found_in_order(main):
    selection = collect(main)
    assert keys(selection.selected) == [
        "raw/sub-01_FLAIR",
        "raw/sub-02_ses-1_acq-3D_FLAIR",
        "raw/sub-02_ses-2_run-01_FLAIR",
        "raw/sub-02_ses-2_run-02_FLAIR",
        "raw/sub-03_FLAIR",
    ]
    assert selection.everything == selection.selected
    scan = selection.selected[3]
    assert scan.entities == (("sub", "02"), ("ses", "2"), ("run", "02"))
    assert scan.path == main / "sub-02/ses-2/anat/sub-02_ses-2_run-02_FLAIR.nii.gz"
    assert scan.uri == "bids:raw:sub-02/ses-2/anat/sub-02_ses-2_run-02_FLAIR.nii.gz"


def test_relative_datasets_work(main, healthy, monkeypatch):
    monkeypatch.chdir(main.parent)
    scans = collect(Path("main"), Path("healthy")).selected
    assert scans[0].path.is_absolute()
    assert scans[0].path.is_file()
    assert scans[0].uri == "bids:raw:sub-01/anat/sub-01_FLAIR.nii.gz"


@pytest.mark.parametrize(
    "name",
    [
        "sub-01_desc-preproc_FLAIR.nii.gz",
        "sub-01_space-MNI152NLin6Asym_FLAIR.nii.gz",
        "sub-01_acq-c_desc-x_FLAIR.nii.gz",
        "sub-01_part-phase_FLAIR.nii.gz",
        "sub-01_T1w.nii.gz",
        "sub-01_FLAIR.mgz",
        "sub-01_label-L_mask.nii.gz",
        "sub-01_FLAIRmask.nii.gz",
        "sub-01_notanentity-1_FLAIR.nii.gz",
        "sub-01_copy_FLAIR.nii.gz",
    ],
)
def test_what_is_no_scan_is_left_out(main, name):
    before = found(main)
    make(main, name)
    assert found(main) == before


def test_other_folders_of_a_dataset_are_not_looked_into(main):
    for folder in ("derivatives/x", "sourcedata", ".git/annex", "code", "sub-01/func"):
        make(main / folder, "sub-09_FLAIR.nii.gz")
    (main / "sub-01" / "func" / "sub-01_acq-b_FLAIR.nii.gz").write_text("")
    make(main / "sub-01" / "anat", "sub-01_acq-deep_FLAIR.nii.gz")
    (main / "sub-03" / "anat" / "sub-99_FLAIR.nii.gz").write_text("")
    assert found(main) == found(main, participant_label=("01", "02", "03"))
    assert len(found(main)) == 5


def test_magnitude_parts_and_contrast_agents_are_scans(main):
    make(main, "sub-03_part-mag_FLAIR.nii.gz", "sub-03_ce-gd_FLAIR.nii.gz")
    assert found(main)[-3:] == ["sub-03", "sub-03_ce-gd", "sub-03_part-mag"]


def test_the_compressed_copy_is_used(main, caplog):
    make(main, "sub-03_FLAIR.nii.gz")
    with caplog.at_level(logging.WARNING):
        scan = collect(main).selected[-1]
    assert scan.path.name == "sub-03_FLAIR.nii.gz"
    assert [record.message for record in caplog.records] == [
        f"{main / 'sub-03/anat/sub-03_FLAIR.nii'} is also there as .nii.gz, which is used."
    ]


def test_links_are_followed_and_broken_ones_are_listed(main, tmp_path):
    """A file that was not fetched must fail by itself, with advice, not vanish from the cohort."""
    store = make(tmp_path / "store", "sub-05_FLAIR.nii.gz")
    (main / "sub-05").symlink_to(store / "sub-05")
    anat = main / "sub-06" / "anat"
    anat.mkdir(parents=True)
    (anat / "sub-06_FLAIR.nii.gz").symlink_to("../../.git/annex/objects/a/b")
    scans = collect(main, participant_label=("05", "06"), model=tmp_path).selected
    assert [scan.subject for scan in scans] == ["05", "06"]
    assert scans[1].path == anat / "sub-06_FLAIR.nii.gz"


@pytest.mark.parametrize("contrast", ["T1w", "T2w", "FLAIR"])
def test_the_contrast_chooses_the_suffix(main, contrast):
    make(main, "sub-01_T2w.nii.gz")
    scans = collect(main, contrast=contrast, participant_label=("01",)).selected
    assert [scan.suffix for scan in scans] == [contrast]


def test_diffusion_images_of_one_volume_are_used(tmp_path):
    root = make(
        tmp_path / "d",
        "sub-01_trace.nii.gz",
        "sub-01_dwi.nii.gz",
        "sub-01_ADC.nii.gz",
        "sub-02_acq-b1000_dwi.nii.gz",
        "sub-02_acq-all_dwi.nii.gz",
        "sub-03_dwi.nii.gz",
    )
    for name, shape in (("acq-b1000", (4, 4, 4, 1)), ("acq-all", (4, 4, 4, 7))):
        image = nib.Nifti1Image(np.zeros(shape, np.uint8), np.eye(4))
        nib.save(image, root / "sub-02" / "dwi" / f"sub-02_{name}_dwi.nii.gz")
    scans = collect(root, contrast="DWI", model=tmp_path).selected
    assert keys(scans) == [
        "raw/sub-01_trace",
        "raw/sub-02_acq-b1000_dwi",
        "raw/sub-03_dwi",  # cannot be read: fails later, by itself
    ]


@given(st.sets(entities(), min_size=1, max_size=6))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_name_of_a_scan_is_found(tmp_path_factory, chosen):
    root = tmp_path_factory.mktemp("any")
    stems = {"_".join(f"{key}-{value}" for key, value in parts) for parts in chosen}
    make(root, *(f"{stem}_FLAIR.nii.gz" for stem in stems))
    scans = collect(root, model=root).selected
    assert {scan.stem for scan in scans} == stems
    assert {scan.entities for scan in scans} == chosen


# ---------------------------------------------------------------------- participants


@pytest.mark.parametrize(
    "given", [("01", "03"), ("sub-03", "sub-01"), ("01 sub-03",), ("03 01 03",)]
)
def test_participants_with_and_without_prefix(main, given):
    assert found(main, participant_label=given) == ["sub-01", "sub-03"]


def test_any_missing_participant_is_an_error(main):
    with pytest.raises(DataError) as info:
        collect(main, participant_label=("01", "04", "sub-77"))
    message = str(info.value)
    for part in ("04, 77", "--participant-label", str(main), "01, 02, 03", "mounted"):
        assert part in message


def test_a_participant_without_an_image_is_an_error(main):
    (main / "sub-04" / "anat").mkdir(parents=True)
    with pytest.raises(
        DataError, match=r"No FLAIR image was found of participants 04 .*--contrast"
    ):
        collect(main, participant_label=("01", "04"))
    assert len(found(main)) == 5


def test_training_needs_others_than_those_selected(main):
    training = collect(main, participant_label=("02",), steps=(Step.SYNTHESISE, Step.TRAIN))
    assert {scan.subject for scan in training.selected} == {"02"}
    assert {scan.subject for scan in training.everything} == {"01", "02", "03"}
    array = collect(main, participant_label=("02",), steps=(Step.PREPROCESS,))
    assert array.everything == array.selected == training.selected


def test_others_are_not_even_looked_at_where_nothing_trains(main):
    table(main, "sub-02\tpatient", "sub-01\twhatever")
    assert len(found(main, participant_label=("02",), steps=(Step.PREPROCESS,))) == 3
    with pytest.raises(DataError):
        collect(main)


def test_participants_are_looked_for_in_all_datasets(main, healthy):
    """An array of one job a label must cover tumour-free datasets, too."""
    options = {"steps": (Step.PREPROCESS,)}
    assert found(main, healthy, participant_label=("h1",), **options) == ["tumourfree/sub-h1_ses-9"]
    assert found(main, healthy, participant_label=("03",), **options) == ["sub-03"]
    assert found(main, healthy, participant_label=("01",), **options) == [
        "sub-01",
        "tumourfree/sub-01",
    ]
    with pytest.raises(DataError, match="Could not find participants h2"):
        collect(main, healthy, participant_label=("h1", "h2"))
    whole = collect(main, healthy, participant_label=("03",))
    assert keys(whole.selected) == ["raw/sub-03_FLAIR"]
    assert {scan.dataset_name for scan in whole.everything} == {"raw", "tumourfree"}
    assert len(whole.everything) == 7


def test_excluded_participants_are_in_nothing(main, caplog):
    selection = collect(main, exclude_participant_label=("sub-02", "01"))
    assert keys(selection.everything) == ["raw/sub-03_FLAIR"]
    with caplog.at_level(logging.WARNING):
        collect(main, exclude_participant_label=("55",))
    assert "55 (--exclude-participant-label)" in caplog.text


def test_a_participant_to_hold_out_must_exist(main):
    with pytest.raises(DataError, match=r"33 .--hold-out"):
        collect(main, hold_out=("03", "33"))


@pytest.mark.parametrize("given", [("2",), ("ses-2",)])
def test_sessions(main, healthy, given):
    assert found(main, session_label=given) == ["sub-02_ses-2_run-01", "sub-02_ses-2_run-02"]
    # Sessions of another cohort are not these sessions.
    assert len(found(main, healthy, session_label=given)) == 4


def test_any_missing_session_is_an_error(main):
    with pytest.raises(DataError, match="session 7"):
        collect(main, session_label=("1", "7"))


# ---------------------------------------------------------------------- filter file


def filtered(main: Path, *others: Path, **queries) -> list[str]:
    path = main.parent / "filters.json"
    path.write_text(json.dumps(queries))
    return found(main, *others, bids_filter_file=path)


@pytest.mark.parametrize("query", ["flair", "image"])
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"acquisition": "3D"}, ["sub-02_ses-1_acq-3D"]),
        ({"run": 2}, ["sub-02_ses-2_run-02"]),
        ({"run": "02"}, ["sub-02_ses-2_run-02"]),
        ({"run": [1, 2]}, ["sub-02_ses-2_run-01", "sub-02_ses-2_run-02"]),
        ({"run": None}, ["sub-01", "sub-02_ses-1_acq-3D", "sub-03"]),
        ({"session": "*", "run": None}, ["sub-02_ses-1_acq-3D"]),
        ({"session": "*", "run": [None, 1]}, ["sub-02_ses-1_acq-3D", "sub-02_ses-2_run-01"]),
        ({"subject": ["01", "03"]}, ["sub-01", "sub-03"]),
    ],
)
def test_filters(main, query, filters, expected):
    assert filtered(main, **{query: filters}) == expected


def test_filters_by_role(main, healthy):
    assert filtered(main, tumour={"session": "1"}) == ["sub-01", "sub-02_ses-1_acq-3D"]
    assert filtered(main, tumourfree={"subject": "none"}) == [
        key for key in found(main) if key != "sub-01"
    ]
    assert filtered(main, healthy, healthy={"session": "*"})[-1:] == ["tumourfree/sub-h1_ses-9"]
    # A role's own filter goes before the common one.
    assert filtered(main, image={"session": "2"}, tumourfree={"session": None}) == [
        "sub-01",
        "sub-02_ses-2_run-01",
        "sub-02_ses-2_run-02",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"JSON syntax error in: .*filters\.json"),
        ("[]", "must hold an object"),
        ('{"bold": {}}', r"does not make: 'bold'.*flair"),
        ('{"flair": []}', "must be an object"),
        ('{"flair": {"run": {}}}', "neither a text"),
        ('{"flair": {"run": []}}', "neither a text"),
        ('{"flair": {"suffix": "T1w"}}', "decided by --contrast"),
        ('{"flair": {"colour": "red"}}', "colour.*not a recognized entity"),
    ],
)
def test_filter_files_with_mistakes(main, content, message):
    path = main.parent / "filters.json"
    path.write_text(content)
    with pytest.raises(UsageError, match=message):
        collect(main, bids_filter_file=path)


def test_a_missing_filter_file(main):
    with pytest.raises(UsageError, match="cannot be read"):
        collect(main, bids_filter_file=main / "no.json")


def test_nothing_left_is_an_error_with_the_filters_in_it(main):
    path = main.parent / "filters.json"
    path.write_text('{"flair": {"acquisition": "2D"}}')
    with pytest.raises(DataError) as info:
        collect(main, bids_filter_file=path, exclude_participant_label=("01",))
    for part in ("No FLAIR image", str(main), f"--bids-filter-file {path}", "label 01"):
        assert part in str(info.value)


# ---------------------------------------------------------------------- roles


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


# ---------------------------------------------------------------------- datasets


def test_missing_and_empty_datasets(main, tmp_path):
    with pytest.raises(DataError, match=r"no dataset folder .*nowhere.*mounted"):
        collect(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no dataset folder"):
        collect(main, tmp_path / "nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="No participant at all"):
        collect(empty)
    with pytest.raises(DataError, match=f"No FLAIR image was found in {empty}"):
        collect(main, empty)


def test_one_dataset_twice_is_refused(main, tmp_path):
    (tmp_path / "link").symlink_to(main)
    with pytest.raises(UsageError, match="two datasets"):
        collect(main, tmp_path / "link")


def test_one_file_in_two_datasets_is_refused(main, tmp_path):
    other = make(tmp_path / "other", "sub-x_FLAIR.nii.gz")
    (other / "sub-x/anat/sub-x_FLAIR.nii.gz").unlink()
    (other / "sub-x/anat/sub-x_FLAIR.nii.gz").symlink_to(main / "sub-01/anat/sub-01_FLAIR.nii.gz")
    with pytest.raises(DataError, match="reached through two datasets"):
        collect(main, other)
    assert len(found(main, other, exclude_participant_label=("01",))) == 5


# ---------------------------------------------------------------------- database


def test_a_database_is_made_once_and_used_again(main, healthy, tmp_path):
    database = tmp_path / "db" / "new"
    options = {"bids_database_dir": database, "participant_label": ("03", "h1")}
    first = collect(main, healthy, **options)
    assert first == collect(main, healthy, participant_label=("03", "h1"))
    make(main, "sub-04_FLAIR.nii.gz", "sub-03_run-7_FLAIR.nii.gz")
    assert collect(main, healthy, **options) == first, "the old database was used"
    assert sorted(path.name for path in database.parent.iterdir()) == ["new"]
    with pytest.raises(DataError, match="The database knows only"):
        collect(main, healthy, bids_database_dir=database, participant_label=("04",))
    t1w = collect(main, bids_database_dir=database, contrast="T1w")
    assert keys(t1w.selected) == ["raw/sub-01_T1w"]


def test_a_database_of_another_dataset_is_refused(main, healthy, tmp_path):
    collect(main, bids_database_dir=tmp_path / "db")
    with pytest.raises(UsageError, match=r"is of .*main, not of .*healthy"):
        collect(healthy, bids_database_dir=tmp_path / "db", model=tmp_path)


def test_a_broken_database_is_refused(main, tmp_path):
    database = tmp_path / "db"
    collect(main, bids_database_dir=database)
    (database / "layout_index.sqlite").write_text("x" * 5000)
    with pytest.raises(UsageError, match="cannot be used"):
        collect(main, bids_database_dir=database)


# ---------------------------------------------------------------------- masks of others


def scan_of(name: str, dataset_name: str = "raw") -> Scan:
    stem, suffix = name.rsplit("_", 1)
    parts = tuple(tuple(part.split("-")) for part in stem.split("_"))
    root = Path("/data")
    return Scan(root / f"{name}.nii.gz", parts, suffix, Role.TUMOUR, root, dataset_name)


@pytest.mark.parametrize(
    ("names", "scan", "expected"),
    [
        (["sub-01_desc-brain_mask.nii.gz"], "sub-01_FLAIR", 0),
        (["sub-01_desc-brain_mask.nii"], "sub-01_run-2_FLAIR", 0),
        (["sub-01_ses-1_desc-brain_mask.nii.gz"], "sub-01_ses-2_FLAIR", None),
        (["sub-01_ses-1_desc-brain_mask.nii.gz"], "sub-01_ses-1_FLAIR", 0),
        (["sub-01_desc-brain_mask.nii.gz"], "sub-01_ses-1_FLAIR", None),
        (["sub-01_space-MNI_desc-brain_mask.nii.gz"], "sub-01_FLAIR", None),
        (["sub-01_space-T1w_desc-brain_mask.nii.gz"], "sub-01_FLAIR", None),
        (["sub-01_space-FLAIR_desc-brain_mask.nii.gz"], "sub-01_FLAIR", 0),
        (["sub-01_run-1_desc-brain_mask.nii.gz"], "sub-01_run-2_FLAIR", None),
        (["sub-01_label-L_mask.nii.gz"], "sub-01_FLAIR", None),
        (["sub-011_desc-brain_mask.nii.gz"], "sub-01_FLAIR", None),
        (
            ["sub-01_desc-brain_mask.nii.gz", "sub-01_run-2_desc-brain_mask.nii.gz"],
            "sub-01_run-2_FLAIR",
            1,
        ),
        (["sub-01_desc-brain_mask.nii", "sub-01_desc-brain_mask.nii.gz"], "sub-01_FLAIR", 1),
    ],
)
@pytest.mark.parametrize("layout", ["bids", "plain"])
def test_brain_masks_by_name(tmp_path, names, scan, expected, layout):
    for name in names:
        if layout == "bids":
            make(tmp_path, name)
        else:
            (tmp_path / name).write_text("")
    result = find_brain_mask(scan_of(scan), [tmp_path / "none", tmp_path])
    assert (result and result.name) == (None if expected is None else names[expected])


def test_the_first_folder_with_a_mask_wins(tmp_path):
    for name in ("a", "b"):
        make(tmp_path / name, "sub-01_desc-brain_mask.nii.gz")
    result = find_brain_mask(scan_of("sub-01_FLAIR"), [tmp_path / "b", tmp_path / "a"])
    assert result.is_relative_to(tmp_path / "b")
    assert find_brain_mask(scan_of("sub-01_FLAIR"), []) is None


def test_truth_by_name(tmp_path):
    scan = scan_of("sub-01_ses-1_FLAIR")
    assert find_truth(scan, tmp_path) is None
    make(tmp_path, "sub-01_ses-1_label-L_desc-expert_mask.nii.gz")
    assert find_truth(scan, tmp_path).name == "sub-01_ses-1_label-L_desc-expert_mask.nii.gz"
    make(tmp_path, "sub-01_ses-1_label-L_mask.nii.gz")
    assert find_truth(scan, tmp_path).name == "sub-01_ses-1_label-L_mask.nii.gz"


def test_two_truths_of_one_scan_are_refused(tmp_path):
    make(tmp_path, "sub-01_label-L_desc-a_mask.nii.gz", "sub-01_label-L_desc-b_mask.nii.gz")
    with pytest.raises(DataError, match="equally well"):
        find_truth(scan_of("sub-01_FLAIR"), tmp_path)


def test_masks_of_the_apps_own_outputs_are_of_the_right_cohort(tmp_path):
    make(tmp_path, "sub-01_desc-brain_mask.nii.gz")
    description = {"GeneratedBy": [{"Name": "synthtumour_bids"}]}
    (tmp_path / "dataset_description.json").write_text(json.dumps(description))
    other = scan_of("sub-01_FLAIR", "tumourfree")
    assert find_brain_mask(other, [tmp_path]) is None
    nested = make(tmp_path / "derivatives/tumourfree", "sub-01_desc-brain_mask.nii.gz")
    assert find_brain_mask(other, [tmp_path]).is_relative_to(nested)
