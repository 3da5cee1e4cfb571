"""Which scans a run works on: what is asked for is found, or said to be missing."""

from __future__ import annotations

import gzip
import logging
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthtumour_bids.errors import DataError, UsageError
from synthtumour_bids.settings import Step
from tests.builders.datasets import collect, found, keys, make, table
from tests.builders.strategies import entities

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
    table(main, "sub-05\ttumour", "sub-06\ttumour")
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


def damaged(kind: str) -> bytes:
    image = nib.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4))
    content = bytearray(image.to_bytes())
    if kind == "stream":
        return gzip.compress(b"")[:10] + b"\xff" * 400
    place, value = {"datatype": (70, 0), "dimension": (44, -1), "dimensions": (40, 99)}[kind]
    content[place : place + 2] = struct.pack("<h", value)
    return gzip.compress(bytes(content))


@pytest.mark.parametrize("kind", ["stream", "datatype", "dimension", "dimensions"])
def test_a_damaged_diffusion_image_is_a_scan_that_fails_later(tmp_path, kind):
    root = make(tmp_path / "d", "sub-01_dwi.nii.gz", "sub-02_trace.nii.gz")
    (root / "sub-01" / "dwi" / "sub-01_dwi.nii.gz").write_bytes(damaged(kind))
    scans = collect(root, contrast="DWI", model=tmp_path).selected
    assert keys(scans) == ["raw/sub-01_dwi", "raw/sub-02_trace"]


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


def test_where_nothing_is_found_it_is_said_what_was_looked_for(main, tmp_path):
    names = (f"sub-{k}_{suffix}.nii.gz" for k in "ab" for suffix in ("flair", "T1w"))
    root = make(tmp_path / "other", *names)
    with pytest.raises(DataError) as info:
        collect(main, root)
    message = str(info.value)
    for part in (
        f"No FLAIR image was found in {root}. Looked for sub-*/[ses-*/]anat/sub-*_FLAIR.nii[.gz]",
        "upper and lower case matter",
        "sub-a/anat/sub-a_T1w.nii.gz, sub-a/anat/sub-a_flair.nii.gz, sub-b/anat/sub-b_T1w.nii.gz.",
        "Participants there: a, b.",
        "--contrast",
    ):
        assert part in message
    assert "mounted" not in message
    with pytest.raises(
        DataError, match=r"dwi/sub-\*_trace.nii\[.gz\] or .*_dwi.nii.*; there is sub-a"
    ):
        collect(root, contrast="DWI")
    (main / "sub-04" / "anat").mkdir(parents=True)
    with pytest.raises(DataError, match=r"of participants 04 .*anat/sub-\*_FLAIR.*no image\."):
        collect(main, participant_label=("04",))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"there is no image\. .*No participant at all.*mounted"):
        collect(main, tmp_path / "empty")


def test_participants_without_an_image_are_named_once(main, healthy, caplog):
    collect(main, healthy)
    assert caplog.messages == []
    for label in (*"456789", "excluded"):
        (main / f"sub-{label}" / "anat").mkdir(parents=True)
    (healthy / "sub-h2").mkdir()
    collect(main, healthy, exclude_participant_label=("excluded",))
    assert caplog.messages == [
        f"No FLAIR image of participants 4, 5, 6, 7, 8 and 1 more in {main}; they are left out.",
        f"No FLAIR image of participants h2 in {healthy}; they are left out.",
    ]
    caplog.clear()
    collect(main, participant_label=("03",))
    collect(main, participant_label=("03",), steps=(Step.PREPROCESS,))
    assert caplog.messages == []
    collect(main, session_label=("1",), exclude_participant_label=tuple("456789"))
    (message,) = caplog.messages
    assert "01, 03, excluded in" in message
    assert "--session-label 1" in message


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


def test_what_is_left_out_is_said_with_the_reason(main, tmp_path, caplog):
    make(main, "sub-04_desc-defaced_FLAIR.nii.gz")
    with caplog.at_level(logging.WARNING):
        collect(main)
    assert "named as derivatives" in caplog.text
    assert "sub-04/anat/sub-04_desc-defaced_FLAIR.nii.gz" in caplog.text
    series = make(tmp_path / "series", "sub-01_dwi.nii.gz")
    nib.save(
        nib.Nifti1Image(np.zeros((2, 2, 2, 3)), np.eye(4)), series / "sub-01/dwi/sub-01_dwi.nii.gz"
    )
    with caplog.at_level(logging.WARNING), pytest.raises(DataError, match="No DWI image was found"):
        collect(series, contrast="DWI")
    assert "sub-01_dwi.nii.gz: left out, as series of volumes" in caplog.text


def test_a_folder_without_participants_is_described(tmp_path):
    export = tmp_path / "export"
    (export / "UPENN-GBM-00001_11").mkdir(parents=True)
    with pytest.raises(DataError, match="called sub-<label>: it has UPENN-GBM-00001_11"):
        collect(export)


def test_what_bidsignore_names_is_refused_nowhere(main):
    (main / "sub-05").symlink_to("nowhere")
    (main / "SUB-06" / "anat").mkdir(parents=True)
    (main / "SUB-06" / "anat" / "SUB-06_FLAIR.nii.gz").touch()
    assert {one.subject for one in collect(main).refused} == {"05", "06"}
    (main / ".bidsignore").write_text("sub-05\nSUB-06/\n")
    assert collect(main).refused == ()
