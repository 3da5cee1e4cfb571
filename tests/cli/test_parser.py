from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from synthtumour_bids.__main__ import main
from synthtumour_bids.bids.contrasts import MORE_CONTRASTS
from synthtumour_bids.bids.names import CONTRAST_SUFFIXES
from synthtumour_bids.cli.parser import build_parser, parse_settings
from synthtumour_bids.errors import EXIT_USAGE, UsageError
from synthtumour_bids.methods.label_free.recipes import RECIPES
from synthtumour_bids.settings import CONTRASTS, FURTHER_CONTRASTS, LESIONS, PRESETS, Settings, Step
from synthtumour_bids.synthesis.priors import packaged_lesions

HEAVY = ("numpy", "nibabel", "pandas", "scipy", "torch", "ants", "bids", "tqdm", "nnunetv2")


def seconds_of(*command: str) -> float:
    """Seconds of the processor that a command takes: other work is none of its business."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(command, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert result.returncode == 0, result.stderr
    assert "--help" not in command or result.stdout.startswith("usage: synthtumour-bids ")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_takes_less_than_a_fifth_of_a_second() -> None:
    shown = [sys.executable, "-m", "synthtumour_bids", "--help"]
    needed = [sys.executable, "-c", "import argparse, dataclasses, logging"]
    times = [(seconds_of(*shown), seconds_of(*needed)) for _ in range(5)]
    least, least_needed = map(min, zip(*times, strict=True))
    # On a machine that is slow or shared, where Python itself takes longer than 0.07 s for what
    # any command line needs, it may take longer in proportion.
    assert least < 0.2 * max(1.0, least_needed / 0.07)


def test_the_parser_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from synthtumour_bids.cli.parser import parse_settings\n"
        f"parse_settings(['{tmp_path}', '{tmp_path / 'out'}', 'participant'])\n"
        f"print(*set({HEAVY}) & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []


def test_the_help_names_defaults_and_no_empty_ones() -> None:
    text = " ".join(build_parser().format_help().split())
    for default in ("glioma", "527", "auto", "all that are available", "all"):
        assert f"(default: {default})" in text
    for empty in ("()", "[]", "False", "None", "0", "==SUPPRESS=="):
        assert f"(default: {empty})" not in text
    assert "full where there is a CUDA device, else fast" in text


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--no-such-flag"],
        ["--steps", "rest"],
        ["--nprocs", "none"],
        ["--hold-out"],
        ["--lesion-volume", "3"],
        ["--preset", "reference", "--lesion", "stroke"],
    ],
)
def test_a_usage_error_is_one_or_two_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    command = [str(tmp_path), str(tmp_path / "out"), "participant", *arguments]
    assert main(command if arguments else []) == EXIT_USAGE
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) <= 2
    assert lines[0].startswith("synthtumour-bids: error: ")
    if len(lines) == 2:
        assert lines[1] == "See synthtumour-bids --help."


def test_what_is_not_given_has_the_defaults_of_the_settings(tmp_path: Path) -> None:
    settings = parse_settings([str(tmp_path), str(tmp_path / "out"), "participant"])
    out = tmp_path / "out"
    assert settings == Settings(
        tmp_path,
        out,
        work_dir=out / "work",
        nprocs=settings.nprocs,
        nprocs_given=False,
        profile_given=False,
    )
    assert 1 <= settings.nprocs <= (os.cpu_count() or 1)


def test_labels_are_bare_however_they_are_given(tmp_path: Path) -> None:
    settings = Settings(
        tmp_path, tmp_path, participant_label=("sub-01", "01 02"), session_label=("ses-a", "sub-b")
    )
    assert settings.participant_label == ("01", "02")
    assert settings.session_label == ("a", "sub-b")
    assert Settings(tmp_path, tmp_path, hold_out=(" ", "sub-")).hold_out == ()


def test_values_of_a_flag_that_is_given_again_are_added(tmp_path: Path) -> None:
    again = ["--hold-out", "01", "--hold-out", "sub-02", "03", "--steps", "train", "--steps"]
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    again += ["segment", "-d", str(tmp_path / "a"), "-d", str(tmp_path / "b")]
    settings = parse_settings([str(tmp_path), str(tmp_path / "out"), "participant", *again])
    assert settings.hold_out == ("01", "02", "03")
    assert settings.steps == (Step.TRAIN, Step.SEGMENT)
    assert settings.derivatives == (tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize("flag", ["--participant-label", "--hold-out", "--session-label"])
@pytest.mark.parametrize("label", ["", " ", "sub-"])
def test_a_label_that_is_empty_names_nobody_and_not_everybody(
    tmp_path: Path, flag: str, label: str
) -> None:
    label = label.replace("sub-", "ses-") if flag == "--session-label" else label
    with pytest.raises(UsageError, match=f"{flag} names nobody: '{label}'"):
        parse_settings([str(tmp_path), str(tmp_path / "out"), "participant", flag, label])


@pytest.mark.parametrize(
    "empty",
    [
        *("bids_dir", "output_dir", "-w", "-d", "--bids-database-dir", "--lesion-roi-dir"),
        *("--model", "--skull-strip-template", "--config-file"),
    ],
)
def test_an_empty_path_is_refused_and_not_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folders = {"bids_dir": str(tmp_path), "output_dir": str(tmp_path / "out")}
    flags = [] if empty in folders else [empty, ""]
    folders |= {empty: ""} if empty in folders else {}
    with pytest.raises(UsageError, match=rf"{empty}.*found '' \(an empty variable in a script\?\)"):
        parse_settings([*folders.values(), "participant", *flags])


def test_relative_paths_are_refused_where_the_current_folder_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for given in (["out", "participant"], [str(tmp_path / "out"), "participant", "-w", "work"]):
        with pytest.raises(UsageError, match="The current folder is gone: cd to another one"):
            parse_settings([str(tmp_path), *given])
    settings = parse_settings([str(tmp_path), str(tmp_path / "out"), "participant"])
    assert settings.work_dir == tmp_path / "out" / "work"


def test_every_choice_is_known_where_it_is_used() -> None:
    assert set(CONTRASTS) == set(CONTRAST_SUFFIXES)
    assert set(FURTHER_CONTRASTS) == set(MORE_CONTRASTS)
    assert packaged_lesions() == LESIONS
    assert tuple(RECIPES) == PRESETS
