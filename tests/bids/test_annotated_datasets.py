"""Annotated scans: which are found, which are left out, and what is refused."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from synthtumour_bids.__main__ import main
from synthtumour_bids.bids import inputs
from synthtumour_bids.bids.classes import TumourClass
from synthtumour_bids.bids.inputs import collect_scans
from synthtumour_bids.errors import EXIT_NO_DATA, EXIT_USAGE, DataError
from synthtumour_bids.settings import Method, Role, Settings, Step
from tests.builders.datasets import make

TABLE = "index\tname\n1\toedema\n4\tcore\n"
CLASSES = (TumourClass(1, "oedema"), TumourClass(4, "core"))


def cohort(root: Path, *annotated: str) -> tuple[Path, Path]:
    """A main dataset, and one of three scans with the drawings named."""
    main_dir = make(root / "main", "sub-01_FLAIR.nii.gz", "sub-02_FLAIR.nii.gz")
    other = make(root / "other", *(f"sub-{k}_FLAIR.nii.gz" for k in "abc"))
    make(root / "other" / "derivatives" / "manual", *annotated)
    return main_dir, other


def masks(*labels: str) -> list[str]:
    return [f"sub-{label}_label-L_mask.nii.gz" for label in labels]


def dsegs(*labels: str) -> list[str]:
    return [f"sub-{label}_desc-tumour_dseg.nii.gz" for label in labels]


def collect(main_dir: Path, annotated: Path, **more):
    settings = Settings(
        main_dir,
        main_dir.parent / "out",
        method=Method.FABRICATION,
        annotated_dir=annotated,
        tumourfree_dir=(make(main_dir.parent / "healthy", "sub-h_FLAIR.nii.gz"),),
        **more,
    )
    return collect_scans(settings)


def annotated_keys(selection) -> list[str]:
    keys = [scan.key for scan in selection.everything if scan.role is Role.ANNOTATED]
    assert keys == sorted(selection.annotations)
    return keys


def test_masks_of_a_dataset_of_its_own_are_found(tmp_path):
    selection = collect(*cohort(tmp_path, *masks("a", "b", "c")))
    assert annotated_keys(selection) == [f"annotated/sub-{k}_FLAIR" for k in "abc"]
    annotation = selection.annotations["annotated/sub-b_FLAIR"]
    assert annotation.path.name == "sub-b_label-L_mask.nii.gz"
    assert [one.name for one in annotation.classes] == ["tumour"]


def test_classes_are_preferred_where_all_scans_have_them(tmp_path):
    folders = cohort(tmp_path, *masks("a", "b", "c"), *dsegs("a", "b", "c"))
    (folders[1] / "derivatives" / "manual" / "desc-tumour_dseg.tsv").write_text(TABLE)
    selection = collect(*folders)
    assert {one.classes for one in selection.annotations.values()} == {CLASSES}
    for path in folders[1].glob("derivatives/manual/sub-b/anat/*dseg*"):
        path.unlink()
    assert {len(one.classes) for one in collect(*folders).annotations.values()} == {1}


def test_annotations_may_be_a_dataset_of_their_own(tmp_path):
    folders = cohort(tmp_path)
    drawn = make(tmp_path / "drawn", *masks("a", "b", "c"))
    assert len(annotated_keys(collect(*folders, derivatives=(drawn,)))) == 3


def test_drawings_of_several_people_on_one_scan_are_told_of(tmp_path, caplog):
    folders = cohort(tmp_path, *masks("a", "b", "c"))
    other = make(folders[1] / "derivatives" / "another", *masks("b"))
    with caplog.at_level(logging.WARNING):
        selection = collect(*folders)
    drawn = {path.path.parents[2] for path in selection.annotations.values()}
    assert drawn == {other, other.with_name("manual")}
    assert "Several folders have a label-L_mask of annotated/sub-b_FLAIR:" in caplog.text
    assert f"{other}, {other.with_name('manual')}. Of each scan" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        chosen = collect(*folders, derivatives=(other.with_name("manual"),))
    assert {path.path.parents[2].name for path in chosen.annotations.values()} == {"manual"}
    assert not caplog.records


def test_some_scans_of_the_main_dataset_may_be_the_annotated_ones(tmp_path):
    root = make(tmp_path / "main", *(f"sub-{k}_FLAIR.nii.gz" for k in "abcd"))
    make(root / "derivatives" / "manual", *masks("a", "b", "d"))
    selection = collect(root, root)
    assert annotated_keys(selection) == [f"raw/sub-{k}_FLAIR" for k in "abd"]
    assert [scan.key for scan in selection.everything if scan.role is Role.TUMOUR] == [
        "raw/sub-c_FLAIR"
    ]
    make(root / "derivatives" / "manual", *masks("c"))
    held_out = collect(root, root, hold_out=("c",))
    assert annotated_keys(held_out) == annotated_keys(selection)


def test_who_is_held_out_is_learned_from_in_no_dataset(tmp_path, caplog):
    folders = cohort(tmp_path, *masks("a", "b", "c", "d"))
    make(folders[1], "sub-d_FLAIR.nii.gz")
    assert len(annotated_keys(collect(*folders))) == 4
    with caplog.at_level(logging.WARNING):
        selection = collect(*folders, hold_out=("sub-d",))
    assert annotated_keys(selection) == [f"annotated/sub-{k}_FLAIR" for k in "abc"]
    assert not any(scan.subject == "d" for scan in selection.everything)
    assert "annotated/sub-d_FLAIR: left out, as its participant is held out" in caplog.text
    with pytest.raises(DataError, match="found 2 of 2"):
        collect(*folders, hold_out=("c", "d"))
    narrow = {"steps": (Step.PREPROCESS,), "participant_label": ("d",)}
    with pytest.raises(DataError, match=r"Nothing is to be done for participants d .*--hold-out"):
        collect(*folders, hold_out=("d",), **narrow)


def test_held_out_means_the_annotated_one_of_two_people_with_one_label(tmp_path):
    folders = cohort(tmp_path, *masks("a", "b", "c", "h"))
    make(folders[1], "sub-h_FLAIR.nii.gz")
    selection = collect(*folders, hold_out=("h",))
    assert [s.key for s in selection.everything if s.subject == "h"] == ["tumourfree/sub-h_FLAIR"]
    assert not any(scan.role is Role.HELD_OUT for scan in selection.everything)


def test_one_drawing_is_of_one_scan(tmp_path):
    main_dir, other = cohort(tmp_path, *masks("a", "b", "c"))
    make(other, "sub-b_run-1_FLAIR.nii.gz", "sub-b_run-2_FLAIR.nii.gz")
    for path in other.glob("sub-b/anat/sub-b_FLAIR*"):
        path.unlink()
    told = r"sub-b_label-L_mask.nii.gz \(--annotated-dir\) could be drawn on any of .*run-1.*run-2"
    with pytest.raises(DataError, match=told):
        collect(main_dir, other)
    (drawn,) = other.glob("derivatives/manual/sub-b/anat/*_mask.nii.gz")
    drawn.rename(drawn.with_name("sub-b_run-2_label-L_mask.nii.gz"))
    assert "annotated/sub-b_run-2_FLAIR" in annotated_keys(collect(main_dir, other))


def test_who_is_held_out_of_a_tumourfree_role_is_no_tumour(tmp_path):
    selection = collect(*cohort(tmp_path, *masks("a", "b", "c")), hold_out=("h",))
    assert [s.subject for s in selection.everything if s.role is Role.HELD_OUT] == ["h"]


@pytest.mark.parametrize("inside", [False, True])
def test_a_job_of_an_array_takes_the_kind_of_drawing_that_all_have(tmp_path, inside, caplog):
    main_dir, other = cohort(tmp_path, *masks("a", "b", "c"), *dsegs("a"))
    (other / "derivatives" / "manual" / "desc-tumour_dseg.tsv").write_text(TABLE)
    main_dir = other if inside else main_dir
    narrow = {"steps": (Step.PREPROCESS,), "participant_label": ("a",)}
    with caplog.at_level(logging.WARNING):
        selection = collect(main_dir, other, **narrow)
    assert [scan.subject for scan in selection.everything] == ["a"]
    assert selection.annotations == {
        key: value for key, value in collect(main_dir, other).annotations.items() if "sub-a" in key
    }
    (annotation,) = selection.annotations.values()
    assert annotation.path.name == "sub-a_label-L_mask.nii.gz"
    assert not caplog.records
    # Who is held out has no say.
    held_out = collect(main_dir, other, hold_out=("b", "c"), **narrow)
    assert "_dseg" in next(iter(held_out.annotations.values())).path.name


def test_a_job_of_an_array_refuses_a_mixture_like_the_whole_run(tmp_path):
    folders = cohort(tmp_path, *masks("a", "b"), *dsegs("a", "c"))
    with pytest.raises(DataError, match="must all have a desc-tumour_dseg or all have a label-L"):
        collect(*folders, steps=(Step.PREPROCESS,), participant_label=("a",))


def test_a_job_of_an_array_lists_others_only_where_they_decide(tmp_path, monkeypatch):
    folders = cohort(tmp_path, *masks("a", "b", "c"), *dsegs("c"))
    (folders[1] / "derivatives" / "manual" / "desc-tumour_dseg.tsv").write_text(TABLE)
    asked = []
    listed = inputs.scans_of
    monkeypatch.setattr(inputs, "scans_of", lambda *given: asked.append(given[3]) or listed(*given))
    collect(*folders, steps=(Step.PREPROCESS,), participant_label=("a",))
    assert None not in asked
    collect(*folders, steps=(Step.PREPROCESS,), participant_label=("c",))
    assert asked.count(None) == 1


def test_what_this_app_segmented_is_no_annotation(tmp_path):
    folders = cohort(tmp_path, *masks("a", "b", "c"))
    description = '{"GeneratedBy": [{"Name": "synthtumour_bids"}]}'
    (folders[1] / "derivatives" / "manual" / "dataset_description.json").write_text(description)
    with pytest.raises(DataError, match="at least 3 annotated scans"):
        collect(*folders)


def test_masks_like_the_juniors_are_no_annotations(tmp_path, caplog):
    junior = "sub-d_label-L_desc-junior_mask.nii.gz"
    folders = cohort(tmp_path, *masks("a", "b", "c"), junior)
    make(folders[1], "sub-d_FLAIR.nii.gz")
    with caplog.at_level(logging.WARNING):
        selection = collect(*folders)
    assert annotated_keys(selection) == [f"annotated/sub-{k}_FLAIR" for k in "abc"]
    assert "there is no other of annotated/sub-d_FLAIR: take it out" in caplog.text


def test_scans_without_annotation_are_left_out_with_a_warning(tmp_path, caplog):
    folders = cohort(tmp_path, *masks("a", "b", "c"))
    make(folders[1], "sub-d_FLAIR.nii.gz")
    with caplog.at_level(logging.WARNING):
        selection = collect(*folders)
    assert len(annotated_keys(selection)) == 3
    assert "sub-d" in caplog.text


@pytest.mark.parametrize(
    ("drawn", "words"),
    [
        (masks("a", "b"), "at least 3 annotated scans of at least 2 persons; found 2 of 2"),
        ([], "found 0 of 0"),
        ([*masks("a", "b"), *dsegs("c")], "must all have a desc-tumour_dseg or all have a label-L"),
        (dsegs("a", "b", "c"), "The classes of .* are told nowhere"),
    ],
)
def test_annotations_that_are_not_enough_are_refused(tmp_path, drawn, words):
    with pytest.raises(DataError, match=words):
        collect(*cohort(tmp_path, *drawn))


def test_tables_that_differ_are_refused(tmp_path):
    folders = cohort(tmp_path, *dsegs("a", "b", "c"))
    manual = folders[1] / "derivatives" / "manual"
    (manual / "desc-tumour_dseg.tsv").write_text(TABLE)
    own = manual / "sub-b" / "anat" / "sub-b_desc-tumour_dseg.tsv"
    own.write_text("index\tname\n1\tcore\n")
    with pytest.raises(DataError, match=r"1 = core.*1 = oedema, 4 = core"):
        collect(*folders)


def test_a_dataset_of_another_contrast_is_named(tmp_path):
    main_dir, other = cohort(tmp_path, *masks("a", "b", "c"))
    for path in other.glob("sub-*/anat/*_FLAIR.nii.gz"):
        path.rename(path.with_name(path.name.replace("FLAIR", "T1w")))
    with pytest.raises(DataError, match=r"No FLAIR image was found in .*other.*--contrast"):
        collect(main_dir, other)


def test_exit_codes(tmp_path, capsys):
    main_dir, other = cohort(tmp_path, *masks("a"))
    healthy = make(tmp_path / "healthy", "sub-h_FLAIR.nii.gz")
    command = [str(main_dir), str(tmp_path / "out"), "participant", "--healthy-dir", str(healthy)]
    assert main([*command, "--method", "fabrication"]) == EXIT_USAGE
    assert "--annotated-dir" in capsys.readouterr().err
    assert main([*command, "--annotated-dir", str(other)]) == EXIT_USAGE
    assert "--method fabrication" in capsys.readouterr().err
    assert main([*command, "--semi-supervised"]) == EXIT_USAGE
    fabrication = ["--method", "fabrication", "--annotated-dir", str(other)]
    assert main([*command, *fabrication]) == EXIT_NO_DATA
    assert "at least 3 annotated scans" in capsys.readouterr().err
