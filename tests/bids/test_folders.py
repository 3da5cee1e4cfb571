"""Participants' files and folders that cannot be used cost that participant alone."""

from __future__ import annotations

import codecs
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from synthtumour_bids.bids.inputs import collect_scans
from synthtumour_bids.errors import DataError
from synthtumour_bids.settings import Settings
from synthtumour_bids.steps import preprocess
from tests.builders.datasets import collect, keys, make
from tests.builders.jobs import make_job, with_settings


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
    owner = folders[0].removeprefix("sub-")
    assert "which of the two is right cannot be told" in refused[owner]


def test_a_file_in_the_wrong_folder_is_that_participants_trouble(root, tmp_path):
    move(root, "sub-01_FLAIR.nii.gz", "sub-04", "anat")
    selection = collect(root, model=root)
    (one,) = selection.refused
    assert (one.subject, one.name) == ("04", "sub-04/anat/sub-01_FLAIR")
    job = make_job(tmp_path / "job", scans=())
    (record,) = preprocess.run(replace(job, selection=replace(selection, selected=())))
    assert record.key == "raw/sub-04/anat/sub-01_FLAIR"
    assert record.key not in keys(selection.selected)
    assert found(root, exclude_participant_label=("04",))[1] == {}
    assert list(found(root, participant_label=("04",))[1]) == ["04"]
    assert list(found(root, exclude_participant_label=("01",))[1]) == ["04"]


def test_what_was_mended_fails_no_more(root, tmp_path):
    for label in ("03", "04"):
        move(root, f"sub-{label}_ses-2_FLAIR.nii.gz", f"sub-{label}", "ses-1", "anat")
    job = make_job(tmp_path / "job", scans=())

    def failed(**more) -> list[str]:
        selection = collect(root, model=root, **more)
        now = with_settings(replace(job, selection=replace(selection, selected=())), **more)
        preprocess.run(now)
        return [failure.scan.subject for failure in job.ledger.failures()]

    assert failed() == ["03", "04"]
    for label in ("03", "04"):
        shutil.rmtree(root / f"sub-{label}" / "ses-1")
    assert failed(participant_label=("01",)) == ["03", "04"]
    assert failed(exclude_participant_label=("03",)) == ["03"]
    assert failed() == []


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
    job = replace(job, selection=replace(selection, selected=()))
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
    assert "rename it" in found(root, participant_label=("02", "05"))[1]["05"]


@pytest.mark.parametrize("link", ["sub-04", "sub-01/ses-2", "sub-01/ses-2/anat"])
def test_a_link_to_nowhere_on_the_way_is_told(root, link):
    (root / link).parent.mkdir(exist_ok=True)
    (root / link).symlink_to("../.git/annex/gone")
    subject = link[4:6]
    assert "link to a folder that is not there" in found(root)[1][subject]
    scans, refused = found(root, participant_label=("02", subject))
    assert "raw/sub-02_FLAIR" in scans
    assert list(refused) == [subject]


@pytest.mark.parametrize(
    ("place", "names"),
    [
        ("sub-01/SES-2/anat/sub-01_ses-2_FLAIR.nii.gz", "sub-01/SES-2 (rename it to ses-2)"),
        ("sub-01/session2/anat/sub-01_FLAIR.nii.gz", "sub-01/session2 (rename it to ses-2)"),
        ("sub-01/ses-2/Anat/sub-01_ses-2_FLAIR.nii", "sub-01/ses-2/Anat (rename it to anat)"),
        ("sub-01/anat/sub-01_flair.nii.gz", "sub-01_flair.nii.gz (rename it to sub-01_FLAIR.nii."),
        ("sub-01/anat/sub-01_run-2_FLAIR.NII", "run-2_FLAIR.NII (rename it to sub-01_run-2_FLAIR."),
        ("sub-01/ses-2/anat/01_FLAIR.nii", "01_FLAIR.nii (rename it to sub-01_ses-2[_...]_FLAIR.n"),
        ("sub_03/anat/sub_03_FLAIR.nii.gz", "sub_03 (rename it to sub-03)"),
        ("sub04/ses-1/anat/sub04_FLAIR.nii.gz", "sub04 (rename it to sub-04)"),
        ("05/anat/sub-05_FLAIR.nii.gz", "05 (rename it to sub-05)"),
        ("sub-m\udcfc/anat/sub-m\udcfc_FLAIR.nii.gz", r"sub-m\udcfc (rename it to sub-m)"),
        ("sub-01/anat/sub-01_acq-\udcfc1_FLAIR.nii", "(rename it to sub-01_acq-1_FLAIR.nii)"),
    ],
)
def test_what_is_misnamed_is_told_with_its_right_name(root, place, names, caplog):
    move(root, Path(place).name, *Path(place).parts[:-1])
    before = ["raw/sub-01_FLAIR", "raw/sub-02_FLAIR"]
    assert found(root, bids_database_dir=root.parent / "database") == found(root) == (before, {})
    (told,) = {text for text in caplog.messages if "rename it" in text}
    assert names in told


def test_alike_names_share_a_sentence_and_others_are_let_be(root, caplog):
    for label in range(3, 10):
        move(root, f"sub-0{label}_flair.nii.gz", f"sub-0{label}", "anat")
    for name in ("._sub-01_flair.nii.gz", "sub-01_T2w.NII.gz", "sub-01_flair.json", "README"):
        move(root, name, "sub-01", "anat")
    for folder in ("subjects/sub-01", "derivatives", "code", "sub-01/session_notes", "2020_notes"):
        move(root, "sub-01_flair.nii.gz", *Path(folder).parts)
    (root / "sub-09" / "Anat").mkdir()
    move(root, "sub-04_FLAIR.nii.gz", "sub-04", "anat")
    found(root, exclude_participant_label=("09",))
    (told,) = [text for text in caplog.messages if "rename it" in text]
    assert told.count("rename it") == 5
    assert "and 1 more" in told
    caplog.clear()
    (root / ".bidsignore").write_text("*_flair.nii.gz\nsub-09/Anat/\n")
    found(root)
    assert "rename it" not in caplog.text


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
from synthtumour_bids.errors import SynthTumourError
from tests.bids.test_folders import found
more = {"participant_label": tuple(sys.argv[2:])} if sys.argv[2:] else {}
for database in (None, Path(sys.argv[1]).parent / "database"):
    try:
        print(*found(Path(sys.argv[1]), contrast="DWI", bids_database_dir=database, **more))
    except SynthTumourError as error:
        print(error.exit_code, error)
"""


def found_without_rights(root: Path, *locked: tuple[str, int], script: str = LIST) -> str:
    """What is found, where modes count: as root reads everything, its rights to do so are dropped.

    The output comes twice, without and with a database.
    """
    command = [sys.executable, "-c", script, str(root)]
    if os.geteuid() == 0:
        caps = "-dac_override,-dac_read_search"
        command = ["setpriv", "--bounding-set", caps, "--inh-caps", caps, *command]
    before = {name: (root / name).stat().st_mode for name, _ in locked}
    for name, mode in locked:
        (root / name).chmod(mode)
    try:
        ran = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
            check=False,
        )
    finally:
        for name, mode in reversed(before.items()):
            (root / name).chmod(mode)
    assert ran.returncode == 0, ran.stderr
    without, with_database = ran.stdout.splitlines()
    assert without == with_database
    return without


needs_setpriv = pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs util-linux")
TRACES = (
    "sub-01_trace.nii",
    "sub-02_trace.nii",
    "sub-02_ses-1_trace.nii",
    "sub-02_ses-2_trace.nii",
)


@needs_setpriv
@pytest.mark.parametrize(
    ("folders", "mode", "verb"),
    [
        (("sub-02",), 0, "listed"),
        (("sub-02",), 0o444, "entered"),
        (("sub-02",), 0o333, "listed"),
        (("sub-02/dwi",), 0, "listed"),
        (("sub-02/ses-1", "sub-02/ses-2"), 0o444, "entered"),
    ],
)
def test_a_folder_that_may_not_be_read_costs_its_participant(tmp_path, folders, mode, verb):
    root = make(tmp_path / "raw", *TRACES)
    told = found_without_rights(root, *((folder, mode) for folder in folders))
    assert "'raw/sub-01_trace'" in told
    assert ("'raw/sub-02_trace'" in told) is ("ses" in folders[0])
    assert f"{root / folders[-1]} cannot be {verb} (Permission denied)" in told


@needs_setpriv
def test_a_folder_of_t1w_images_that_may_not_be_read_costs_nobody(tmp_path):
    root = make(tmp_path / "raw", *TRACES, "sub-02_T1w.nii")
    told = found_without_rights(root, ("sub-02/anat", 0))
    assert "'raw/sub-01_trace'" in told
    assert "'raw/sub-02_trace'" in told
    assert told.endswith("{}")


@needs_setpriv
def test_a_folder_of_an_excluded_participant_may_be_unreadable(tmp_path):
    root = make(tmp_path / "raw", *TRACES)
    script = LIST.replace("**more", "exclude_participant_label=('02',)")
    told = found_without_rights(root, ("sub-02", 0o444), script=script)
    assert told == "['raw/sub-01_trace'] {}"


@needs_setpriv
def test_a_link_that_may_not_be_followed_costs_its_participant(tmp_path):
    root = make(tmp_path / "raw", *TRACES)
    (root / "locked" / "in").mkdir(parents=True)
    (root / "sub-02" / "dwi" / "notes.txt").symlink_to(root / "locked" / "in")
    told = found_without_rights(root, ("locked", 0))
    assert "'raw/sub-01_trace'" in told
    assert "notes.txt cannot be followed (Permission denied)" in told


@needs_setpriv
@pytest.mark.parametrize(("locked", "mode"), [(".", 0), (".", 0o444), ("..", 0)])
def test_a_dataset_that_may_not_be_read_is_told(tmp_path, locked, mode):
    root = make(tmp_path / "above" / "raw", *TRACES)
    script = LIST.replace(", bids_database_dir=database", "")
    told = found_without_rights(root, (locked, mode), script=script)
    assert told.startswith(f"65 The folder {root} cannot be ")
    assert "(Permission denied)" in told


@needs_setpriv
def test_a_description_that_may_not_be_read_is_told(tmp_path):
    root = make(tmp_path / "raw", *TRACES)
    (root / "dataset_description.json").write_text("{}")
    told = found_without_rights(root, ("dataset_description.json", 0))
    assert told.startswith(f"65 {root / 'dataset_description.json'} cannot be read (Permission d")


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
def test_a_bidsignore_that_may_not_be_read_stops_the_run(tmp_path):
    root = make(tmp_path / "raw", *TRACES)
    (root / ".bidsignore").write_text("sub-02/\n")
    told = found_without_rights(root, (".bidsignore", 0))
    assert told.startswith(f"65 {root / '.bidsignore'} cannot be read: Permission denied")
