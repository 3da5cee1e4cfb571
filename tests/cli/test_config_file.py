from __future__ import annotations

import codecs
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, strategies
from hypothesis import settings as hypothesis_settings

from synthtumour_bids.cli.config_file import read_config
from synthtumour_bids.cli.parser import build_parser, parse_settings, to_settings
from synthtumour_bids.execution.logs import settings_as_toml
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.settings import (
    ANALYSIS_LEVELS,
    CONTRASTS,
    FURTHER_CONTRASTS,
    JUNIOR_SOURCES,
    LESIONS,
    PRESETS,
    SKULL_STRIP_MODES,
    Method,
    Settings,
    Step,
)

# Paths that the flags find there, whatever the test's own folder is.
FOLDERS = (Path("/"), Path("/tmp"), Path(__file__).parent)
FILES = (Path(__file__), Path(__file__).with_name("__init__.py"))

words = strategies.text("abcXYZ019", min_size=1, max_size=6)
values = strategies.text(
    strategies.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=8
).filter(lambda text: not text.startswith("-"))
labels = strategies.lists(words, max_size=3, unique=True).map(tuple)
numbers = strategies.integers(1, 64)
volumes = strategies.floats(0.001, 1e4)


def some(of: strategies.SearchStrategy[Any]) -> strategies.SearchStrategy[Any]:
    return strategies.none() | of


def several(of: strategies.SearchStrategy[Any]) -> strategies.SearchStrategy[Any]:
    return strategies.lists(of, max_size=3).map(tuple)


def one(choices: Any) -> strategies.SearchStrategy[Any]:
    return strategies.sampled_from(list(choices))


folders, files, switch = one(FOLDERS), one(FILES), strategies.booleans()
FIELDS: dict[str, strategies.SearchStrategy[Any]] = {
    "bids_dir": one(FOLDERS[:1]),
    "output_dir": one([Path("/some/out")]),
    "analysis_level": one(ANALYSIS_LEVELS),
    "steps": strategies.sets(one(Step), min_size=1).map(
        lambda chosen: tuple(step for step in Step if step in chosen)
    ),
    "participant_label": labels,
    "exclude_participant_label": labels,
    "session_label": labels,
    "bids_filter_file": some(files),
    "bids_database_dir": some(folders),
    "skip_bids_validation": switch,
    "derivatives": several(folders),
    "tumourfree_dir": several(folders),
    "group_column": values,
    "tumourfree_values": several(values),
    "tumour_values": several(values),
    "hold_out": labels,
    "method": one(Method),
    "annotated_dir": some(folders),
    "semi_supervised": switch,
    "teacher": some(folders),
    "lesion_volume": some(strategies.tuples(volumes, volumes)),
    "lesion_place": some(files),
    "lesion": one(LESIONS),
    "contrast": one(CONTRASTS),
    "more_contrasts": several(one(FURTHER_CONTRASTS)),
    "priors": some(files),
    "preset": one(PRESETS),
    "profile": one(PROFILES.values()),
    "model": some(folders),
    "junior": some(one(JUNIOR_SOURCES)),
    "rounds": some(strategies.integers(1, 9)),
    "retrain": switch,
    "truth": some(folders),
    "output_spaces": several(one(["T1w", "MNI152NLin6Asym:res-2", "MNI152NLin2009cAsym"])),
    "lesion_roi_dir": some(folders),
    "atlas": some(one([str(FILES[0]), f"{FILES[0]}:{FILES[1]}"])),
    "keep_mask": switch,
    "corrections": some(folders),
    "healthy_twin": switch,
    "skull_strip": one(SKULL_STRIP_MODES),
    "skull_strip_template": some(words),
    "device": one(["auto", "cpu", "mps", "cuda", "cuda:1"]),
    "num_gpus": numbers,
    "seed": strategies.integers(0, 2**40),
    "work_dir": one([Path("/scratch"), Path("/some/out/work")]),
    "nprocs": numbers,
    "omp_nthreads": numbers,
    "mem_gb": some(strategies.floats(1e-6, 1e6)),
    "dask_scheduler": some(values),
    "reports_only": switch,
    "no_viewer": switch,
    "boilerplate_only": switch,
    "stop_on_first_crash": switch,
    "keep_work": switch,
    "verbosity": strategies.integers(0, 3),
}


def read_again(settings: Settings, config: Path) -> Settings:
    config.write_text(settings_as_toml(settings), encoding="utf-8")
    level = settings.analysis_level
    given = {
        "config_file": config,
        "bids_dir": settings.bids_dir,
        "output_dir": settings.output_dir,
        "analysis_level": level,
    }
    return to_settings({**read_config(build_parser(), given), **given})


def test_every_field_is_tried() -> None:
    # Whether a profile or a number of processes was given follows from these; a dry run leaves no
    # file, and without paths the file does not tell the folders.
    others = {"profile_given", "nprocs_given", "dry_run", "anonymous_paths"}
    assert set(FIELDS) | others == {item.name for item in fields(Settings)}


@given(strategies.fixed_dictionaries(FIELDS))
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_settings_come_back_from_their_file(tmp_path: Path, values: dict[str, Any]) -> None:
    settings = Settings(**values)
    assert read_again(settings, tmp_path / "run.toml") == settings


def test_a_profile_that_was_not_given_does_not_come_back(tmp_path: Path) -> None:
    command = [str(tmp_path), str(tmp_path / "out"), "participant"]
    settings = parse_settings(command)
    assert not settings.profile_given
    assert not read_again(settings, tmp_path / "run.toml").profile_given
    assert parse_settings([*command, "--profile", "fast"]).profile_given
    (tmp_path / "own.toml").write_text('profile = "sloppy"\n')
    again = parse_settings([*command, "--config-file", str(tmp_path / "own.toml")])
    assert again.profile_given
    assert again.profile == PROFILES["sloppy"]


def test_a_number_of_processes_that_was_not_given_is_another_machine_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [str(tmp_path), str(tmp_path / "out"), "participant"]
    settings, given = parse_settings(command), parse_settings([*command, "--nprocs", "3"])
    monkeypatch.setattr("synthtumour_bids.cli.parser.available_cores", lambda: 64)
    assert read_again(settings, tmp_path / "run.toml").nprocs == 64
    assert read_again(given, tmp_path / "run.toml").nprocs == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nprocs_given = true", "unknown key 'nprocs_given'"),
        ("profile_given = true", "unknown key 'profile_given'"),
        ("notrack = true", "unknown key 'notrack'"),
        ("tumourfree_dir = []", "leave the key out"),
        ("retrain = 1", "expected true or false, found 1"),
        ("verbosity = -1", "expected a whole number from 0, found -1"),
        ('verbosity = "2"', "expected a whole number from 0, found '2'"),
        ('profile = "best"', "invalid choice: 'best'"),
    ],
)
def test_more_bad_values_are_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    from synthtumour_bids.__main__ import main

    config = tmp_path / "run.toml"
    config.write_text(text)
    command = [str(tmp_path), str(tmp_path / "out"), "participant", "--config-file", str(config)]
    assert main(command) == 2
    message = capsys.readouterr().err
    assert words in message
    assert message.startswith("synthtumour-bids: error: --config-file: ")
    assert len(message.splitlines()) == 1


def test_a_byte_order_mark_is_no_part_of_a_config_file(tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_bytes(codecs.BOM_UTF8 + b"seed = 7\r\n")
    command = [str(tmp_path), str(tmp_path / "out"), "participant", "--config-file", str(config)]
    assert parse_settings(command).seed == 7
