"""Participants' files and folders that cannot be used cost that participant alone."""

from __future__ import annotations

import codecs
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from synthtumour_bids.bids.inputs import collect_scans
from synthtumour_bids.errors import DataError
from synthtumour_bids.settings import Settings
from synthtumour_bids.steps import preprocess
from tests.builders.datasets import collect, keys, make
from tests.builders.jobs import make_job


@pytest.fixture
def root(tmp_path) -> Path:
    return make(tmp_path / "raw", "sub-01_FLAIR.nii.gz", "sub-02_FLAIR.nii.gz")


def found(root: Path, **more) -> tuple[list[str], dict[str, str]]:
    selection = collect(root, model=root, **more)
    return keys(selection.selected), {one.subject: one.message for one in selection.refused}


def move(root: Path, name: str, *folders: str) -> None:
    target = root.joinpath(*folders)
    target.mkdir(parents=True, exist_ok=True)
    (target / name).write_text("")


@pytest.mark.parametrize(
    ("name", "folders"),
    [
        ("sub-03_FLAIR.nii.gz", ("sub-03", "ses-1", "anat")),
        ("sub-03_ses-2_FLAIR.nii.gz", ("sub-03", "ses-1", "anat")),
        ("sub-03_ses-1_FLAIR.nii.gz", ("sub-03", "anat")),
        ("sub-03_FLAIR.nii.gz", ("sub-04", "anat")),
    ],
)
def test_folder_and_name_must_agree(root, name, folders):
    move(root, name, *folders)
    scans, refused = found(root)
    assert scans == ["raw/sub-01_FLAIR", "raw/sub-02_FLAIR"]
    assert "which of the two is right cannot be told" in refused["03"]


def test_no_two_scans_share_a_key(root):
    for session in ("ses-1", "ses-2"):
        move(root, "sub-03_FLAIR.nii.gz", "sub-03", session, "anat")
    selection = collect(root, model=root)
    names = keys(selection.everything)
    assert len(names) == len(set(names)) == 2
    assert len(selection.refused) == 2


def test_what_is_refused_fails_and_is_kept_for_the_tables(root, tmp_path):
    move(root, "sub-03_FLAIR.nii.gz", "sub-03", "ses-1", "anat")
    selection = collect(root, model=root)
    job = make_job(tmp_path / "job", scans=())
    import dataclasses

    job = dataclasses.replace(job, selection=dataclasses.replace(selection, selected=()))
    (record,) = preprocess.run(job)
    assert record.status == "failed"
    (failure,) = job.ledger.failures()
    assert failure.scan.subject == "03"


def test_a_participant_that_is_a_link_to_nowhere_is_told(root):
    (root / "sub-04").symlink_to(".git/modules/gone")
    scans, refused = found(root)
    assert len(scans) == 2
    assert "link to a folder that is not there" in refused["04"]


def test_a_participant_in_capital_letters_is_told(root):
    move(root, "SUB-05_FLAIR.nii.gz", "SUB-05", "anat")
    assert "rename it" in found(root)[1]["05"]


def test_excluded_participants_and_others_are_no_matter(root):
    (root / "sub-04").symlink_to("gone")
    assert found(root, exclude_participant_label=("04",))[1] == {}
    assert found(root, participant_label=("01",))[1] == {}


def test_nothing_left_names_the_reasons(tmp_path):
    root = tmp_path / "raw"
    root.mkdir()
    (root / "sub-04").symlink_to("gone")
    with pytest.raises(DataError, match=r"can be used:\n.*link to a folder"):
        collect(root, model=root)


def test_a_scan_that_links_to_itself_fails_alone(root, tmp_path):
    healthy = make(tmp_path / "healthy", "sub-h_FLAIR.nii.gz")
    anat = root / "sub-03" / "anat"
    anat.mkdir(parents=True)
    (anat / "sub-03_FLAIR.nii.gz").symlink_to("sub-03_FLAIR.nii.gz")
    selection = collect_scans(Settings(root, tmp_path / "out", tumourfree_dir=(healthy,)))
    assert {"raw/sub-01_FLAIR", "raw/sub-02_FLAIR"} <= set(keys(selection.everything))


LIST = """
import sys
from pathlib import Path
from tests.bids.test_folders import found
scans, refused = found(Path(sys.argv[1]))
print(scans, refused)
"""


needs_setpriv = pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs util-linux")


def listed_without(root: Path, locked: str) -> subprocess.CompletedProcess[str]:
    """What is found while a path is locked: as root reads everything, its capabilities go."""
    (root / locked).chmod(0)
    command = [sys.executable, "-c", LIST, str(root)]
    if os.geteuid() == 0:
        caps = "-dac_override,-dac_read_search"
        command = ["setpriv", "--bounding-set", caps, "--inh-caps", caps, *command]
    folder = Path(__file__).parents[2]
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    finally:
        (root / locked).chmod(0o755)


@needs_setpriv
@pytest.mark.parametrize("folder", ["sub-02", "sub-02/anat"])
def test_a_folder_that_may_not_be_listed_costs_its_participant(root, folder):
    ran = listed_without(root, folder)
    assert ran.returncode == 0, ran.stderr
    assert "['raw/sub-01_FLAIR']" in ran.stdout
    assert "cannot be listed (Permission denied)" in ran.stdout


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ("sub-02/\n", ["sub-01_FLAIR", "sub-01_acq-bad_FLAIR"]),
        ("*_acq-bad*\n", ["sub-01_FLAIR", "sub-02_FLAIR"]),
        ("# a remark\n\n**/anat/*acq-bad*\n", ["sub-01_FLAIR", "sub-02_FLAIR"]),
        ("*\n!sub-01/\n!sub-01/**\n", ["sub-01_FLAIR", "sub-01_acq-bad_FLAIR"]),
    ],
)
def test_bidsignore(root, rules, left, caplog):
    make(root, "sub-01_acq-bad_FLAIR.nii.gz")
    (root / ".bidsignore").write_text(rules)
    with caplog.at_level("INFO"):
        assert found(root)[0] == [f"raw/{name}" for name in left]
    assert ".bidsignore names it" in caplog.text


@pytest.mark.parametrize(
    "content",
    [
        codecs.BOM_UTF8 + b"sub-02/\n",
        codecs.BOM_UTF16_LE + "sub-02/\r\n".encode("utf-16-le"),
        "# Müller\r\nsub-02/\r\n".encode("cp1252"),
    ],
)
def test_bidsignore_in_other_encodings(root, content):
    (root / ".bidsignore").write_bytes(content)
    assert found(root)[0] == ["raw/sub-01_FLAIR"]


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda path: path.write_text("/annex/objects/MD5E-s30--abc\n"), "not been fetched"),
        (lambda path: path.symlink_to(".git/annex/objects/gone"), "link to a file that is not"),
        (lambda path: path.write_bytes("sub-02/\n".encode("utf-16-le")), "NUL characters"),
        (lambda path: path.mkdir(), "no regular file"),
        (lambda path: path.write_text("sub-02/\n!\n"), "pattern that"),
        (lambda path: path.write_text("sub-[2-0]/\n"), "pattern that"),
    ],
)
def test_a_bidsignore_that_cannot_be_read_stops_the_run(root, write, words):
    write(root / ".bidsignore")
    with pytest.raises(DataError, match=rf"\.bidsignore.*{words}"):
        found(root)


@needs_setpriv
def test_a_bidsignore_that_may_not_be_read_stops_the_run(root):
    (root / ".bidsignore").write_text("sub-02/\n")
    ran = listed_without(root, ".bidsignore")
    assert ran.returncode != 0
    assert ".bidsignore cannot be read: Permission denied" in ran.stderr
