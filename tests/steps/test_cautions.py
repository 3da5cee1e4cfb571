"""What is said before a run begins: nothing to segment, who is left out, whose masks go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from synthtumour_bids.__main__ import main
from synthtumour_bids.errors import EXIT_DONE, EXIT_NO_DATA
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.settings import Method, Role, Step
from synthtumour_bids.steps import cautions
from tests.builders.datasets import make
from tests.builders.jobs import (
    make_job,
    make_scan,
    mark_preprocessed,
    with_settings,
    write_network,
)
from tests.builders.starters import change_card, write_only_starter


@pytest.fixture(autouse=True)
def starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one starter that there is."""
    return write_only_starter(tmp_path, monkeypatch)


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """A plan for a patient and two controls, who are told apart by a table."""
    bids = make(tmp_path / "bids", *(f"sub-{n}_FLAIR.nii.gz" for n in ("01", "02", "03")))
    tell(bids, "patient", "control", "control")
    return [str(bids), str(tmp_path / "out"), "participant", "--dry-run", "--nprocs", "1"]


def tell(bids: Path, *groups: str) -> None:
    rows = (f"sub-{n:02d}\t{group}\n" for n, group in enumerate(groups, 1))
    (bids / "participants.tsv").write_text("participant_id\tgroup\n" + "".join(rows))


def asked(*labels: str) -> list[str]:
    return ["--participant-label", *labels]


def test_nothing_to_segment_is_a_sentence(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*command, "--model", "starter"]
    told = "of tumour-free participants (02). --hold-out with their labels"
    assert main([*command, *asked("02")]) == EXIT_NO_DATA
    assert told in capsys.readouterr().err
    assert main([*command, *asked("02"), "--hold-out", "02"]) == EXIT_DONE
    assert main([*command, *asked("02"), "--steps", "report"]) == EXIT_DONE
    tell(tmp_path / "bids", *["control"] * 3)
    capsys.readouterr()
    assert main(command) == EXIT_NO_DATA
    told = capsys.readouterr().err
    for words in ("(3) are of tumour-free participants (01, 02, 03)", "'group'", "--tumour-value"):
        assert words in told


def test_whoever_is_named_and_left_out_is_told_of(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*command, "--model", "starter"]
    assert main([*command, *asked("01", "03")]) == EXIT_DONE
    told = capsys.readouterr().err
    assert "Participants 03 (--participant-label) are tumour-free and left out. --hold-out" in told
    for quiet in (asked("01"), [], ["--hold-out", "03", *asked("01", "03")]):
        assert main([*command, *quiet]) == EXIT_DONE
        assert "left out" not in capsys.readouterr().err


@pytest.mark.parametrize("by_name", [True, False])
@pytest.mark.parametrize("measured", [True, False])
def test_a_starter_that_nobody_measured_is_told_of_in_the_log(
    command: list[str], starter: Path, by_name: bool, measured: bool
) -> None:
    change_card(starter, MeasuredOnRealScans=measured)
    given = ["--model", "starter" if by_name else str(starter), "--skip-bids-validation"]
    assert main([*command[:3], *given, *command[4:]]) == EXIT_NO_DATA, "none of these is an image"
    (log,) = (Path(command[1]) / "logs").glob("*/synthtumour.log")
    told = f"{starter.name} segments (FLAIR, glioma). It was tried on simulated heads alone"
    assert (told in log.read_text()) is not measured
    methods = (Path(command[1]) / "logs" / "CITATION.md").read_text()
    assert ("tried on simulated heads alone, and not measured" in methods) is not measured


def test_masks_of_another_network_are_not_replaced_without_a_word(
    tmp_path: Path, starter: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = make_job(tmp_path, tumours=3)
    first, second, _ = job.selected(Role.TUMOUR)
    given = with_settings(job, model=starter)
    ours = {"starter": ModelCard.read(starter).fingerprint}
    for scan, models in ((first, {"junior": "a", "senior": "b"}), (second, ours)):
        job.ledger.mark(Step.SEGMENT, scan.key, "p", scan=scan, models=models)
    for asked_for, words in (
        (given, ("1 of 3 masks", "(senior b)", f"{ours['starter']} (for glioma in FLAIR images)")),
        (job, ("1 of 3 masks", f"(starter {ours['starter']})", "by the senior of this run")),
        (with_settings(given, steps=(Step.PREPROCESS,)), ()),
    ):
        caplog.clear()
        cautions.tell(asked_for)
        told = [one.getMessage() for one in caplog.records if "made again" in one.getMessage()]
        assert len(told) == bool(words)
        assert all(word in told[0] for word in words)


def test_a_starter_that_takes_over_needs_somebody_too(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*command, "--junior", "starter"]
    assert main([*command, *asked("02")]) == EXIT_DONE, "a job of a cohort's array"
    assert "Participants 02" in capsys.readouterr().err
    tell(tmp_path / "bids", *["control"] * 3)
    assert main(command) == EXIT_NO_DATA
    told = capsys.readouterr().err
    assert "Nothing is to be segmented" in told
    assert "--junior train" not in told


def test_who_taught_with_one_scan_and_is_segmented_in_another_is_told_of(tmp_path: Path) -> None:
    scans = tuple(
        make_scan(tmp_path, f"{n:02d}", Role.ANNOTATED if ses == "1" else Role.TUMOUR, ses)
        for n in range(12)
        for ses in ("1", "2")[: 1 + (n == 4)]
    )
    job = make_job(tmp_path, scans=scans, method=Method.FABRICATION)
    for scan in scans:
        scan.path.parent.mkdir(parents=True, exist_ok=True)
        scan.path.write_bytes(scan.key.encode())
    (told,) = cautions._sentences(job)
    assert told.startswith("Of participants 04 one scan is learned from (--annotated-dir) and")
    assert not cautions._sentences(with_settings(job, steps=(Step.TRAIN,)))


def test_labels_that_leave_out_every_tumour_free_scan_are_told_of(tmp_path: Path) -> None:
    job = make_job(tmp_path, participant_label=("tumour0",))
    selected = tuple(job.selected(Role.TUMOUR)[:1])
    narrow = replace(job, selection=replace(job.selection, selected=selected))
    (told,) = cautions._sentences(narrow)
    assert "None of the 2 tumour-free scans is of a participant that --participant-label" in told
    assert not cautions._sentences(job), "all are selected"
    assert not cautions._sentences(with_settings(narrow, steps=(Step.PREPROCESS,)))
    mark_preprocessed(job, *job.selected(Role.TUMOURFREE))
    assert not cautions._sentences(narrow), "they are there from before"


@pytest.mark.parametrize(
    ("count", "changes", "told"),
    [
        (10, {}, True),
        (11, {}, False),
        (3, {"lesion": "stroke", "contrast": "DWI"}, False),
        (3, {"steps": (Step.SEGMENT,)}, False),
        (3, {"method": Method.SYNTHTUMOUR}, False),
        (3, {"semi_supervised": True}, False),
        (3, {"more_contrasts": ("T1w",)}, False),
    ],
)
def test_who_has_few_annotated_scans_hears_what_was_as_good(
    tmp_path: Path, count: int, changes: dict[str, Any], told: bool
) -> None:
    scans = tuple(make_scan(tmp_path, f"{n:02d}", Role.ANNOTATED) for n in range(count))
    job = make_job(tmp_path, scans=scans, method=Method.FABRICATION)
    found = cautions._sentences(with_settings(job, **changes))
    assert any(f"{count} scans are annotated" in one for one in found) is told
    one_job = replace(job, selection=replace(job.selection, selected=scans[:1]))
    assert cautions._sentences(with_settings(one_job, **changes)) == found, "of an array"


def test_a_teacher_who_knows_those_held_out_is_told_of(tmp_path: Path) -> None:
    uris = tuple(f"bids:raw:sub-tumour{n}/ses-1/anat/scan.nii.gz" for n in (1, 10, 2))
    write_network(tmp_path / "models" / "senior", scans=uris)
    job = make_job(tmp_path, tumours=4, teacher=tmp_path / "models", hold_out=("tumour0",))
    mark_preprocessed(job, *job.selection.everything)
    assert not cautions._sentences(job)
    known = with_settings(job, hold_out=("tumour0", "tumour1"))
    (told,) = cautions._sentences(known)
    assert "as some who are held out (--hold-out): tumour1. If" in told
    assert not cautions._sentences(with_settings(known, steps=(Step.SEGMENT,)))
    assert not cautions._sentences(with_settings(known, teacher=None))
    mark_preprocessed(job, *job.selected(Role.TUMOUR)[::2], image="of one person")
    (told,) = cautions._sentences(job)
    assert "tumour2" in told, "by another name"
