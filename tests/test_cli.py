from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from synthtumour_bids.__main__ import main
from synthtumour_bids.cli import build_parser, parse_settings
from synthtumour_bids.errors import EXIT_DONE, EXIT_UNAVAILABLE, EXIT_USAGE, UsageError
from synthtumour_bids.execution.logs import settings_as_toml
from synthtumour_bids.settings import Settings, Step
from tests.datasets import make, table


@pytest.fixture
def bids(tmp_path: Path) -> Path:
    folder = tmp_path / "bids"
    folder.mkdir()
    return folder


def parse(bids: Path, *more: str) -> Settings:
    return parse_settings([str(bids), str(bids.parent / "out"), "participant", *more])


def test_help_and_version_are_quick_and_import_nothing_heavy() -> None:
    code = (
        "import sys, synthtumour_bids.__main__ as app\n"
        "try:\n app.main(['--version'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'ants', 'nibabel', 'numpy', 'bids', 'nnunetv2'} & set(sys.modules)\n"
        "sys.exit(len(heavy))"
    )
    start = time.monotonic()
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("synthtumour-bids ")
    assert time.monotonic() - start < 5


def test_labels_lose_their_prefix_and_split_on_blanks(bids: Path) -> None:
    settings = parse(bids, "--participant_label", "sub-01 02", "sub-03", "--session-id", "ses-a")
    assert settings.participant_label == ("01", "02", "03")
    assert settings.session_label == ("a",)


def test_steps_keep_the_order_of_the_method(bids: Path) -> None:
    assert parse(bids, "--steps", "report", "segment").steps == (Step.SEGMENT, Step.REPORT)
    assert parse(bids).steps == tuple(Step)


def test_profile_and_aliases(bids: Path) -> None:
    settings = parse(bids, "--profile", "sloppy", "--healthy-dir", str(bids), "--n_cpus", "3")
    assert settings.profile.name == "sloppy"
    assert settings.tumourfree_dir == (bids,)
    assert settings.nprocs == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nprocs", "0"],
        ["--mem", "16"],
        ["--device", "gpu"],
        ["--profile", "best"],
        ["--truth", "no-such-folder"],
        ["--bids-filter-file", "no-such-file.json"],
        ["--no-such-flag"],
        ["--omp-nthreads", "5", "--nprocs", "2"],
        ["--random-seed", "-1"],
        ["--preset", "reference", "--lesion", "stroke"],
        ["--preset", "reference", "--contrast", "T1w"],
        ["--preset", "reference", "--priors", __file__],
    ],
)
def test_usage_errors_exit_2(bids: Path, arguments: list[str]) -> None:
    command = [str(bids), str(bids.parent / "out"), "participant", *arguments]
    try:
        code = main(command)
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    assert code == EXIT_USAGE
    assert not (bids.parent / "out").exists()


def test_a_missing_dataset_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([str(tmp_path / "nowhere"), str(tmp_path / "out"), "participant"])
    assert exit_.value.code == EXIT_USAGE
    assert "folder does not exist" in capsys.readouterr().err


def test_output_must_not_be_the_input(bids: Path) -> None:
    with pytest.raises(UsageError, match="derivatives"):
        parse_settings([str(bids), str(bids), "participant"])


def test_work_must_not_lie_in_the_input(bids: Path) -> None:
    with pytest.raises(UsageError, match="--work-dir"):
        parse(bids, "-w", str(bids / "work"))


def test_work_lies_in_the_output_where_nothing_else_is_said(bids: Path, tmp_path: Path) -> None:
    assert parse(bids).work_dir == bids.parent / "out" / "work"
    assert parse(bids, "-w", str(tmp_path / "scratch")).work_dir == tmp_path / "scratch"


def test_config_file_round_trip_and_command_line_wins(bids: Path, tmp_path: Path) -> None:
    settings = parse(bids, "--profile", "fast", "--seed", "7", "--hold-out", "01", "--mem", "8G")
    config = tmp_path / "run.toml"
    config.write_text(settings_as_toml(settings))
    assert parse(bids, "--config-file", str(config)) == settings
    fabrication = ["--method", "fabrication", "--annotated-dir", str(tmp_path)]
    more = ["--semi-supervised", "--more-contrasts", "T1w", "ceT1w", "--lesion-volume", "5", "30"]
    other = parse(bids, *fabrication, *more)
    assert other.lesion_volume == (5.0, 30.0)
    (tmp_path / "other.toml").write_text(settings_as_toml(other))
    assert parse(bids, "--config-file", str(tmp_path / "other.toml")) == other
    again = parse(bids, "--config-file", str(config), "--seed", "8")
    assert again.seed == 8
    assert again.profile.name == "fast"


def test_a_work_folder_that_nobody_named_is_the_next_output_s_own(
    bids: Path, tmp_path: Path
) -> None:
    config = tmp_path / "run.toml"
    config.write_text(settings_as_toml(parse(bids)))
    command = [str(bids), str(tmp_path / "other"), "participant", "--config-file", str(config)]
    assert parse_settings(command).work_dir == tmp_path / "other" / "work"
    config.write_text(settings_as_toml(parse(bids, "-w", str(tmp_path / "scratch"))))
    assert parse_settings(command).work_dir == tmp_path / "scratch"


def test_a_run_notes_its_settings_as_they_were_given(tmp_path: Path) -> None:
    root = make(tmp_path / "bids", "sub-01_FLAIR.nii.gz", "sub-02_FLAIR.nii.gz")
    table(root, "sub-01\tcontrol", "sub-02\ttumour")
    out, work = tmp_path / "out", tmp_path / "work"
    command = [str(root), str(out), "participant", "--boilerplate-only"]
    assert main([*command, "--work-dir", str(work)]) == EXIT_DONE
    (config,) = out.glob("logs/*/synthtumour.toml")
    assert parse_settings([*command, "--config-file", str(config)]).work_dir == work


def test_the_published_synthesis_draws_gliomas_in_flair_alone(bids: Path, tmp_path: Path) -> None:
    assert parse(bids, "--preset", "reference").preset == "reference"
    assert parse(bids, "--preset", "reference", "--lesion", "stroke", "--model", str(tmp_path))
    with pytest.raises(UsageError, match="--lesion stroke"):
        parse(bids, "--preset", "reference", "--lesion", "stroke")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sed = 7\n", "unknown key 'sed'"),
        ("seed = \n", "TOML syntax error"),
        ('preset = "nice"\n', "expected one of"),
    ],
)
def test_bad_config_files_are_explained(bids: Path, tmp_path: Path, text: str, words: str) -> None:
    config = tmp_path / "run.toml"
    config.write_text(text)
    with pytest.raises(UsageError, match=words):
        parse(bids, "--config-file", str(config))


def test_every_flag_has_help() -> None:
    assert all(action.help for action in build_parser()._actions)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_told_and_not_called_a_defect(
    bids: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(settings: Settings) -> None:
        try:
            Path("/dev/full").write_text("mask")
        except OSError as error:
            raise RuntimeError("saving failed") from error

    monkeypatch.setattr("synthtumour_bids.app.run", run)
    assert main([str(bids), str(tmp_path / "out"), "participant"]) == EXIT_UNAVAILABLE
    last = capsys.readouterr().err
    assert "saving failed. Make room" in last
    assert "same command again" in last
