"""Writers: whole or absent, readable by others, on the scan's own grid, accepted by BIDS."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.bids import derivatives
from synthtumour_bids.bids.classes import TumourClass, write_classes
from synthtumour_bids.bids.derivatives import sidecar_path, write_image
from synthtumour_bids.bids.description import (
    check_folders,
    check_output_dir,
    check_work_dir,
    is_ours,
    write_dataset_description,
)
from synthtumour_bids.bids.names import derivative_path, transform_name
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.sidecars import sidecar
from synthtumour_bids.errors import UsageError
from synthtumour_bids.files import replacing, write_json, write_text, write_tsv
from synthtumour_bids.layout import class_table
from synthtumour_bids.settings import TEMPLATE, Role, Settings
from synthtumour_bids.volumes import like_native


def image(shape=(4, 5, 6)) -> nib.Nifti1Image:
    return nib.Nifti1Image(np.zeros(shape, np.float32), np.eye(4))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---------------------------------------------------------------------- grids

OBLIQUE = np.array(
    [[-0.9, 0.1, 0.0, 80.0], [0.1, 0.89, -0.4, -90.0], [0.03, 0.3, 2.4, -40.0], [0, 0, 0, 1.0]]
)


@pytest.mark.parametrize("codes", [(0, 0), (1, 0), (0, 2), (1, 4), (3, 1)])
@pytest.mark.parametrize("affine", [np.eye(4), np.diag([-1.0, 1, 1, 1]), OBLIQUE])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_outputs_lie_exactly_on_the_scans_grid(tmp_path, codes, affine, kind):
    reference = kind(np.zeros((3, 4, 5, 1), np.int16), affine)
    rigid = np.linalg.qr(affine[:3, :3])[0] * np.sign(np.diag(np.linalg.qr(affine[:3, :3])[1]))
    qform = np.eye(4)
    qform[:3, :3] = rigid @ np.diag(np.linalg.norm(affine[:3, :3], axis=0))
    reference.set_qform(qform, codes[0])
    reference.set_sform(affine, codes[1])
    reference.header.set_xyzt_units("mm", "sec")
    nib.save(reference, tmp_path / "scan.nii.gz")
    scan = nib.load(tmp_path / "scan.nii.gz")
    result = like_native(np.ones((3, 4, 5)), scan, np.uint8)
    write_image(tmp_path / "mask.nii.gz", result, {})
    back = nib.load(tmp_path / "mask.nii.gz")
    assert back.shape == (3, 4, 5)
    assert back.get_data_dtype() == np.uint8
    np.testing.assert_allclose(back.affine, scan.affine, atol=1e-4)
    for field in ("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d"):
        assert back.header[field] == np.float32(scan.header[field])
    for field in ("srow_x", "srow_y", "srow_z"):
        np.testing.assert_array_equal(back.header[field], np.float32(scan.header[field]))
    np.testing.assert_array_equal(back.header["pixdim"][:4], np.float32(scan.header["pixdim"][:4]))
    assert back.header.get_xyzt_units()[0] == "mm"


def test_values_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        like_native(np.zeros((3, 4, 6)), image((3, 4, 5)), np.uint8)


# ---------------------------------------------------------------------- the output folder


@pytest.fixture
def bids_dir(tmp_path) -> Path:
    folder = tmp_path / "bids"
    (folder / "sub-01" / "anat").mkdir(parents=True)
    write_json(folder / "dataset_description.json", {"Name": "x", "BIDSVersion": "1.10.0"})
    return folder


def test_new_empty_and_own_folders_are_taken(tmp_path, bids_dir):
    for output in (tmp_path / "a" / "b" / "c", bids_dir / "derivatives" / "app"):
        check_output_dir(output, bids_dir)
        assert not output.exists(), "a check makes nothing"
    output = tmp_path / "out"
    output.mkdir()
    check_output_dir(output, bids_dir)
    (output / "logs").mkdir()  # another job of the same array is a moment ahead
    check_output_dir(output, bids_dir)
    write_dataset_description(output, links={"raw": bids_dir})
    (output / "sub-01").mkdir()
    check_output_dir(output, bids_dir)
    assert is_ours(output)


def test_input_as_output_is_refused(bids_dir, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(bids_dir)
    for output in (bids_dir, link, bids_dir / "derivatives" / ".."):
        with pytest.raises(UsageError, match=r"input dataset itself.*derivatives.synthtumour_bids"):
            check_output_dir(output, bids_dir)


def test_a_subjects_folder_is_refused(bids_dir):
    with pytest.raises(UsageError, match="among the scans"):
        check_output_dir(bids_dir / "sub-01" / "out", bids_dir)


@pytest.mark.parametrize(
    "description",
    [
        None,
        "{broken",
        "[]",
        '{"GeneratedBy": [{"Name": "fMRIPrep"}]}',
        '{"GeneratedBy": "synthtumour_bids"}',
    ],
)
def test_foreign_folders_are_refused(tmp_path, bids_dir, description):
    output = tmp_path / "out"
    output.mkdir()
    (output / "thesis.docx").write_text("")
    if description is not None:
        (output / "dataset_description.json").write_text(description)
    with pytest.raises(UsageError, match="this app did not make"):
        check_output_dir(output, bids_dir)
    assert "thesis.docx" in names(output)


def test_a_file_as_output_is_refused(tmp_path, bids_dir):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(UsageError, match="is a file"):
        check_output_dir(file, bids_dir)
    with pytest.raises(UsageError, match="cannot be written to"):
        check_output_dir(file / "below", bids_dir)


def test_an_unwritable_folder_is_refused(bids_dir):
    # Permission bits do not stop root, who runs many containers; /proc stops everyone.
    with pytest.raises(UsageError, match=r"cannot be written to.*mounted.*-u"):
        check_output_dir(Path("/proc/synthtumour"), bids_dir)


def test_an_unwritable_work_folder_is_refused(tmp_path):
    check_work_dir(tmp_path / "a" / "b")
    assert names(tmp_path) == [], "a check makes nothing"
    file = tmp_path / "file"
    file.write_text("")
    for work in (Path("/proc/synthtumour"), file, file / "below"):
        with pytest.raises(UsageError, match=rf"work folder {work} \(--work-dir\) cannot be writ"):
            check_work_dir(work)


@pytest.mark.parametrize("flag", ["tumourfree_dir", "annotated_dir"])
def test_no_dataset_of_the_run_takes_results_among_its_scans(tmp_path, bids_dir, flag):
    other = tmp_path / "other"
    (other / "sub-h" / "anat").mkdir(parents=True)

    def settings(output: Path) -> Settings:
        given = {flag: (other,) if flag == "tumourfree_dir" else other}
        return Settings(bids_dir, output, work_dir=tmp_path / "work", **given)

    check_folders(settings(other / "derivatives" / "app"))
    for output in (other / "sub-h" / "out", bids_dir / "sub-01" / "out"):
        with pytest.raises(UsageError, match="among the scans"):
            check_folders(settings(output))


# ---------------------------------------------------------------------- description


def test_description_says_what_made_the_dataset_from_what(tmp_path, bids_dir, monkeypatch):
    monkeypatch.setenv("SYNTHTUMOUR_DOCKER_TAG", "lab/synthtumour:0.1")
    write_json(bids_dir / "dataset_description.json", {"Name": "x", "DatasetDOI": "10.1/x"})
    outside = tmp_path / "hea thy"
    outside.mkdir()
    root = bids_dir / "derivatives" / "app"
    write_dataset_description(root, links={"raw": bids_dir, "tumourfree": outside})
    description = json.loads((root / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["DatasetLinks"] == {"raw": "../..", "tumourfree": outside.as_uri()}
    assert description["SourceDatasets"][0]["DOI"] == "10.1/x"
    [generator] = description["GeneratedBy"]
    assert generator["Name"] == "synthtumour_bids"
    assert generator["Container"] == {"Type": "docker", "Tag": "lab/synthtumour:0.1"}
    monkeypatch.delenv("SYNTHTUMOUR_DOCKER_TAG")
    monkeypatch.setenv("SYNTHTUMOUR_SINGULARITY_URL", "docker://lab/synthtumour")
    write_dataset_description(root, links={})
    [generator] = json.loads((root / "dataset_description.json").read_text())["GeneratedBy"]
    assert generator["Container"] == {"Type": "singularity", "URI": "docker://lab/synthtumour"}


def test_another_dataset_in_the_same_folder_is_told_of(tmp_path, caplog):
    first, second = tmp_path / "one", tmp_path / "two"
    root = tmp_path / "out"
    for dataset in (first, second):
        dataset.mkdir()
    for dataset, words in ((first, ""), (first, ""), (second, f"made of {first.as_uri()}")):
        caplog.clear()
        write_dataset_description(root, links={"raw": dataset})
        assert words in caplog.text
        assert bool(caplog.text) is bool(words)
    caplog.clear()
    write_dataset_description(root, links={"raw": second, "tumourfree": first})
    assert not caplog.text, "one more is no other"


def test_folders_that_nobody_may_look_into_are_a_sentence(tmp_path, monkeypatch, bids_dir):
    def refuse(folder: Path, *args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    (tmp_path / "link").symlink_to("nowhere")
    link = Settings(bids_dir, tmp_path / "link", work_dir=tmp_path)
    with pytest.raises(UsageError, match="link is a link to nowhere"):
        check_folders(link)
    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(UsageError, match=r"cannot be used \(Permission denied\)"):
        check_folders(Settings(bids_dir, tmp_path / "out", work_dir=tmp_path))


def test_sidecar_fields():
    native = sidecar(sources=["bids:raw:a"], SkullStripped=False)
    assert native == {
        "Sources": ["bids:raw:a"],
        "SpatialReference": "orig",
        "SkullStripped": False,
    }
    standard = sidecar(sources=[], space=TEMPLATE, resolution=2.0, Type="Lesion")
    assert standard["SpatialReference"] == TEMPLATE
    assert standard["Resolution"].startswith("2 mm")
    assert standard["Type"] == "Lesion"


# ---------------------------------------------------------------------- the validator


def scans(root: Path, dataset_name: str) -> list[Scan]:
    def scan(suffix, role, *entities):
        name = "_".join([*(f"{key}-{value}" for key, value in entities), suffix])
        return Scan(root / f"{name}.nii.gz", entities, suffix, role, root, dataset_name)

    role = Role.TUMOUR if dataset_name == "raw" else Role.TUMOURFREE
    return [
        scan("FLAIR", role, ("sub", "01")),
        scan("FLAIR", role, ("sub", "02"), ("ses", "a"), ("acq", "x"), ("run", "01")),
        scan("FLAIR", role, ("sub", "02"), ("ses", "b"), ("rec", "n"), ("chunk", "2")),
        scan("T1w", role, ("sub", "03"), ("ce", "gd")),
        scan("T2w", role, ("sub", "04"), ("run", "2")),
        scan("dwi", role, ("sub", "05"), ("dir", "AP")),
        scan("trace", role, ("sub", "06"), ("ses", "1")),
    ]


def write_outputs(output_dir: Path, scan: Scan, resolution: float) -> None:
    """Everything the app writes for a scan."""
    standard = {"space": TEMPLATE, "res": f"{resolution:g}"}
    preproc = derivative_path(scan, output_dir, desc="preproc", suffix=scan.suffix)
    uri = f"bids::{preproc.relative_to(scan.output_root(output_dir)).as_posix()}"
    for where in ({}, standard):
        grid = {"space": where.get("space"), "resolution": resolution if where else None}
        for entities, fields in (
            ({"desc": "preproc", "suffix": scan.suffix}, {"SkullStripped": bool(where)}),
            ({"desc": "synthetic", "suffix": scan.suffix}, {"SkullStripped": True}),
            ({"desc": "brain", "suffix": "mask"}, {"Type": "Brain"}),
            ({"label": "L", "suffix": "mask"}, {"Type": "Lesion"}),
            ({"label": "L", "desc": "junior", "suffix": "mask"}, {"Type": "Lesion"}),
            ({"label": "L", "suffix": "probseg"}, {}),
            ({"label": "L", "desc": "junior", "suffix": "probseg"}, {}),
            ({"label": "L", "desc": "uncertainty", "suffix": "probseg"}, {"Units": "bit"}),
            ({"desc": "uncertainty", "suffix": "entropy"}, {"Units": "bit"}),
        ):
            path = derivative_path(scan, output_dir, **where, **entities)
            write_image(path, image(), sidecar(sources=[scan.uri, uri], **grid, **fields))
    if scan.session:
        write_change(output_dir, scan, uri)
    write_text(preproc.parent / transform_name(scan, to=TEMPLATE), "transform")
    subject = f"sub-{scan.subject}"
    write_text(scan.output_root(output_dir) / f"{subject}.html", "<html></html>")
    write_text(scan.output_root(output_dir) / subject / "figures" / f"{subject}_x.png", "")


def write_change(output_dir: Path, scan: Scan, source: str) -> None:
    """What is written half-way between sessions."""
    names = {"space": "halfway", "desc": "preproc", "suffix": scan.suffix}
    aligned = derivative_path(scan, output_dir, **names)
    reference = f"bids::{aligned.relative_to(scan.output_root(output_dir)).as_posix()}"
    change = derivative_path(scan, output_dir, space="halfway", desc="change", suffix="dseg")
    for path, fields in ((aligned, {"SkullStripped": False}), (change, {"Flags": []})):
        said = sidecar(sources=[source], space="halfway", spatial_reference=reference, **fields)
        write_image(path, image(), said)
    write_classes(class_table(change), [TumourClass(1, "stable", color="#E69F00")])


def write_cohort_outputs(
    root: Path, subjects: list[str], links: dict[str, Path], *, anonymous: bool = False
) -> None:
    write_dataset_description(root, links=links, anonymous=anonymous)
    rows = [{"participant_id": f"sub-{subject}", "volume_mL": 12.5} for subject in subjects]
    write_tsv(root / "participants.tsv", rows, ["participant_id", "volume_mL"])
    write_json(
        root / "participants.json",
        {"volume_mL": {"Description": "Volume of the tumour mask", "Units": "mL"}},
    )
    write_text(root / "logs" / "20260101-000000_x" / "synthtumour.log", "x")
    write_text(root / "logs" / "20260101-000000_x" / "synthtumour.toml", "x = 1")
    write_text(root / "logs" / "CITATION.md", "x")
    write_text(root / "README.md", "Made by synthtumour_bids.\n")
    write_text(root / "group.html", "<html></html>")
    write_tsv(root / "group_desc-tumour_volumes.tsv", rows, ["participant_id", "volume_mL"])
    write_json(root / "group_desc-tumour_volumes.json", {})
    write_json(root / "logs" / "stamps" / "segment" / "raw__sub-01_FLAIR.json", {})
    for model in ("junior", "senior"):
        write_text(root / "models" / model / "fold_0" / "checkpoint_best.pth", "x")
        write_json(root / "models" / model / "model.json", {})


def validate(root: Path) -> list[tuple[str, str]]:
    """Errors of the official validator as (code, file)."""
    run = subprocess.run(
        ["bids-validator-deno", "--format", "json", str(root)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    report = json.loads(run.stdout[run.stdout.index("{") :])
    return [
        (issue["code"], issue.get("location", ""))
        for issue in report["issues"]["issues"]
        if issue["severity"] == "error"
    ]


@pytest.mark.parametrize(("resolution", "anonymous"), [(1.0, False), (2.0, True), (4.0, False)])
def test_the_validator_accepts_every_name_and_sidecar(tmp_path, bids_dir, resolution, anonymous):
    output_dir = tmp_path / "out"
    links = {"raw": bids_dir, "tumourfree": tmp_path}
    for dataset_name, root in (
        ("raw", output_dir),
        ("tumourfree", output_dir / "derivatives" / "tumourfree"),
    ):
        listed = scans(links[dataset_name], dataset_name)
        for scan in listed:
            write_outputs(output_dir, scan, resolution)
        subjects = sorted({scan.subject for scan in listed})
        write_cohort_outputs(root, subjects, links, anonymous=anonymous)
        with replacing(root / "sub-01" / "anat" / "left.nii.gz") as temporary:
            temporary.write_text("as a killed job leaves it")
            assert validate(root) == []
    assert derivatives.sidecar_path(Path("a_mask.nii.gz")) == Path("a_mask.json")


def test_the_validator_does_find_a_wrong_name(tmp_path, bids_dir):
    """The test above means something."""
    write_cohort_outputs(tmp_path / "out", ["01"], {"raw": bids_dir})
    write_image(tmp_path / "out/sub-01/anat/sub-01_desc-x_label-L_mask.nii.gz", image(), {})
    assert validate(tmp_path / "out") != []


def test_an_image_that_is_written_again_as_it_was_keeps_its_time(tmp_path):
    path = tmp_path / "mask.nii.gz"
    write_image(path, image(), {"A": 1})
    os.utime(path, ns=(1, 1))
    write_image(path, image(), {"A": 2})
    assert path.stat().st_mtime_ns == 1
    assert json.loads(sidecar_path(path).read_text()) == {"A": 2}
    other = image()
    write_image(path, nib.Nifti1Image(other.get_fdata(dtype="float32") + 1, other.affine), {})
    assert path.stat().st_mtime_ns > 1
