from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from synthtumour_bids.__main__ import main
from synthtumour_bids.cli.parser import build_parser, parse_settings
from synthtumour_bids.errors import EXIT_DONE, EXIT_UNAVAILABLE, EXIT_USAGE, UsageError
from synthtumour_bids.execution.logs import settings_as_toml
from synthtumour_bids.settings import Settings, Step, atlas_files
from tests.builders.datasets import make, table

NO_SEED = f"--seed: expected a whole number from 0 to {2**63 - 1}, found"


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


def test_folders_and_files_may_have_signs_in_their_names_that_part_others(bids: Path) -> None:
    folder = bids.parent / "a=b" / "c:d"
    folder.mkdir(parents=True)
    image, labels = folder / "regions.nii.gz", folder / "regions.tsv"
    image.touch(), labels.touch()
    given = parse(bids, "-d", f"fmriprep={folder}", str(folder), "--atlas", str(image))
    assert given.derivatives == (folder, folder)
    assert given.atlas == str(image)
    assert atlas_files(given.atlas) == (image, None)
    given = parse(bids, "--atlas", f"{image}:{labels}")
    assert given.atlas is not None
    assert atlas_files(given.atlas) == (image, labels)


def test_a_folder_that_is_not_there_is_named_in_full(bids: Path) -> None:
    with pytest.raises(UsageError, match="does not exist: /nowhere/a=b/masks"):
        parse(bids, "-d", "/nowhere/a=b/masks")


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
        ["--random-seed", str(2**64)],
        ["--preset", "reference", "--lesion", "stroke"],
        ["--preset", "reference", "--contrast", "T1w"],
        ["--preset", "reference", "--priors", __file__],
    ],
)
def test_usage_errors_exit_2(bids: Path, arguments: list[str]) -> None:
    command = [str(bids), str(bids.parent / "out"), "participant", *arguments]
    assert main(command) == EXIT_USAGE
    assert not (bids.parent / "out").exists()


def test_a_missing_dataset_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nowhere"), str(tmp_path / "out"), "participant"]) == EXIT_USAGE
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


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "run.toml"


@pytest.mark.parametrize(
    ("field", "flag", "prefix"),
    [
        ("participant_label", "--participant-label", "sub-"),
        ("exclude_participant_label", "--exclude-participant-label", "sub-"),
        ("session_label", "--session-label", "ses-"),
        ("hold_out", "--hold-out", "sub-"),
    ],
)
def test_labels_mean_the_same_in_a_config_file(
    bids: Path, config: Path, field: str, flag: str, prefix: str
) -> None:
    given = [f"{prefix}07", "08", f"{prefix}09 10"]
    config.write_text(f"{field} = {given}\n")
    settings = parse(bids, "--config-file", str(config))
    assert getattr(settings, field) == ("07", "08", "09", "10")
    assert settings == parse(bids, flag, *given)


def test_flags_replace_the_lists_and_counts_of_a_config_file(bids: Path, config: Path) -> None:
    one, other, third = (bids.parent / name for name in ("one", "other", "third"))
    for folder in (one, other, third):
        folder.mkdir()
    config.write_text(
        f'tumourfree_dir = ["{one}", "{other}"]\nderivatives = ["{one}"]\n'
        'hold_out = ["01"]\nverbosity = 2\n'
    )
    settings = parse(bids, "--config-file", str(config))
    assert settings.tumourfree_dir == (one, other)
    assert settings.derivatives == (one,)
    assert settings.verbosity == 2
    flags = ["--tumourfree-dir", str(other), "--healthy-dir", str(third), "-v"]
    flags += ["--derivatives", f"fmriprep={other}", "--hold-out", "sub-02"]
    assert parse(bids, "--config-file", str(config), *flags) == parse(bids, *flags)


def test_values_of_a_config_file_may_be_written_in_other_ways(bids: Path, config: Path) -> None:
    config.write_text(
        f'tumourfree_dir = "{bids}"\nhold_out = "sub-01 02"\nsteps = "train"\nseed = "7"\n'
        "tumour_values = [1, 2]\nmem_gb = 1e-05\nretrain = true\nkeep_work = false\n"
    )
    settings = parse(bids, "--config-file", str(config))
    assert settings.tumourfree_dir == (bids,)
    assert settings.hold_out == ("01", "02")
    assert settings.steps == (Step.TRAIN,)
    assert settings.seed == 7
    assert settings.tumour_values == ("1", "2")
    assert settings.mem_gb == 1e-5
    assert settings.retrain
    assert not settings.keep_work


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sed = 7", "unknown key 'sed'"),
        ("help = true", "unknown key 'help'"),
        ("seed = ", "TOML syntax error"),
        ('group_column = "\xe9"', "TOML syntax error"),
        ('preset = "nice"', "--preset: invalid choice: 'nice'"),
        ('steps = ["train", "rest"]', "--steps: invalid choice: 'rest'"),
        ("contrast = 1", "--contrast: invalid choice: '1'"),
        ('seed = "abc"', f"{NO_SEED} 'abc'"),
        ("seed = 1.5", f"{NO_SEED} '1.5'"),
        ("seed = -1", f"{NO_SEED} '-1'"),
        ("seed = true", "expected a text or a number, found True"),
        ("seed = [7]", "expected one value, found the list"),
        ("nprocs = 0", "must be 1 or more, found 0"),
        ("nprocs = 1.5", "expected a whole number"),
        ("mem_gb = -8", "--mem '-8G'"),
        ('mem_gb = "16"', "expected a number with a unit"),
        ("lesion_volume = [5]", "expected 2 arguments"),
        ("lesion_volume = 5", "expected 2 arguments"),
        ("lesion_volume = [0, 5]", "above 0"),
        ("hold_out = []", "leave the key out"),
        ("hold_out = [2024-01-01]", "expected a text or a number"),
        ("tumourfree_dir = 7", "folder does not exist: 7"),
        ("tumourfree_dir = {a = 1}", "expected a text or a number"),
        ('retrain = "no"', "expected true or false, found 'no'"),
        ("verbosity = true", "expected a whole number from 0, found True"),
        ('work_dir = ["a"]\noutput_dir = 3', "expected one value"),
    ],
)
def test_bad_config_files_are_explained(
    bids: Path, config: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    config.write_text(text, encoding="latin-1")
    command = [str(bids), str(bids.parent / "out"), "participant", "--config-file", str(config)]
    assert main(command) == EXIT_USAGE
    assert words in capsys.readouterr().err
    assert not (bids.parent / "out").exists()


@pytest.mark.parametrize(
    ("flag", "given", "text"),
    [
        ("--nprocs", "0", "nprocs = 0"),
        ("--seed", "abc", 'seed = "abc"'),
        ("--device", "gpu", 'device = "gpu"'),
        ("--lesion", "cyst", 'lesion = "cyst"'),
        ("--truth", "no-such-folder", 'truth = "no-such-folder"'),
    ],
)
def test_a_config_file_is_refused_in_the_words_of_the_flag(
    bids: Path, config: Path, flag: str, given: str, text: str
) -> None:
    with pytest.raises(UsageError) as refused:
        parse(bids, flag, given)
    sentence = str(refused.value).splitlines()[0]
    config.write_text(text)
    with pytest.raises(UsageError) as error:
        parse(bids, "--config-file", str(config))
    assert sentence
    assert str(error.value).endswith(sentence)


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
