"""What is done already: stamps, failures, and whom they are about."""

from __future__ import annotations

from pathlib import Path

from synthtumour_bids.files import fingerprint
from synthtumour_bids.ledger import Failure, Identity, Ledger
from synthtumour_bids.settings import Role
from tests.builders.jobs import make_scan


def test_ledger_hold_only_while_input_and_output_are_there(tmp_path: Path) -> None:
    output = tmp_path / "sub-01" / "mask.nii.gz"
    output.parent.mkdir()
    output.write_bytes(b"x")
    ledger = Ledger(tmp_path)
    current = fingerprint(scan="abc", seed=1)
    assert not ledger.is_done("preprocess", "raw/sub-01", current)
    ledger.mark("preprocess", "raw/sub-01", current, [output], qc={"volume": 3})
    assert ledger.is_done("preprocess", "raw/sub-01", current)
    assert not ledger.is_done("preprocess", "raw/sub-01", fingerprint(scan="abc", seed=2))
    assert ledger.read("preprocess", "raw/sub-01").details["qc"] == {"volume": 3}
    output.unlink()
    ledger.forget()
    assert not ledger.is_done("preprocess", "raw/sub-01", current)


def test_an_emptied_output_is_not_done(tmp_path: Path) -> None:
    output, ledger = tmp_path / "mask.nii.gz", Ledger(tmp_path)
    output.write_bytes(b"x")
    ledger.mark("segment", "raw/sub-01", "p", [output])
    assert ledger.is_done("segment", "raw/sub-01", "p")
    output.write_bytes(b"")
    ledger.forget()
    assert not ledger.is_done("segment", "raw/sub-01", "p")
    output.unlink()
    output.symlink_to(tmp_path / "annex")  # whose content is not there
    assert not Ledger(tmp_path).is_done("segment", "raw/sub-01", "p")
    (tmp_path / "annex").write_bytes(b"x")
    assert Ledger(tmp_path).is_done("segment", "raw/sub-01", "p")
    assert ledger.steps_of("raw/sub-01") == ["segment"]
    assert ledger.steps_of("raw/sub-0*") == []


def test_stamps_survive_another_mount_point(tmp_path: Path) -> None:
    first, second = tmp_path / "host", tmp_path / "container"
    (first / "sub-01").mkdir(parents=True)
    (first / "sub-01" / "a").write_text("a")
    Ledger(first).mark("segment", "raw/sub-01", "p", [first / "sub-01" / "a"])
    first.rename(second)
    assert Ledger(second).is_done("segment", "raw/sub-01", "p")


def test_a_half_written_stamp_counts_as_not_done(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    path = ledger.folder("segment") / "raw__sub-01.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"fingerprint": "p", "outp')
    assert not ledger.is_done("segment", "raw/sub-01", "p")


def test_stamps_know_whom_they_are_about(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    scan = make_scan(tmp_path, "01", session="2", dataset="tumourfree")
    ledger.mark("preprocess", scan.key, "p", scan=scan)
    ledger.mark("preprocess", "raw/sub-09_ses-1_FLAIR", "p", role="tumour")  # as 0.1.0 did
    (older, _), (newer, _) = ledger.of_scans("preprocess")
    assert newer.key == scan.key
    assert (newer.subject, newer.session, newer.suffix) == ("01", "2", "FLAIR")
    assert (older.dataset, older.subject, older.session) == ("raw", "09", "1")


def test_a_failure_is_kept_until_the_step_ends_well(tmp_path: Path) -> None:
    ledger, scan = Ledger(tmp_path), make_scan(tmp_path, "01", Role.TUMOURFREE)
    ledger.mark_failure(Failure("preprocess", Identity.of(scan), scan.role, "it is empty"))
    (failure,) = Ledger(tmp_path).failures()
    assert (failure.step, failure.scan.key, failure.role, failure.message) == (
        "preprocess",
        scan.key,
        "tumourfree",
        "it is empty",
    )
    ledger.clear_failure("preprocess", scan.key)
    assert ledger.failures() == []


def test_each_stamp_is_read_once(tmp_path: Path) -> None:
    ledger, other = Ledger(tmp_path), Ledger(tmp_path)
    assert ledger.read("preprocess", "raw/a") is None
    other.mark("preprocess", "raw/a", "p")
    assert ledger.read("preprocess", "raw/a") is None
    ledger.forget()
    assert ledger.read("preprocess", "raw/a") is not None
