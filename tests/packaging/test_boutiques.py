"""The Boutiques descriptor: in step with the parser, valid, and able to run the app."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from synthtumour_bids import errors
from synthtumour_bids.cli.parser import build_parser, parse_settings
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.settings import Step

ROOT = Path(__file__).resolve().parents[2]
DESCRIPTOR = ROOT / "boutiques.json"


def load_script() -> ModuleType:
    path = ROOT / "scripts" / "boutiques_descriptor.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def bosh(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    folder = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        [str(folder / "bosh"), *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
    )


@pytest.fixture(scope="module")
def inputs() -> dict[str, dict[str, Any]]:
    return {item["id"]: item for item in json.loads(DESCRIPTOR.read_text())["inputs"]}


@pytest.fixture
def bids(tmp_path: Path) -> Path:
    """A dataset with one tumour scan and two without, enough for a plan."""
    folder = tmp_path / "bids data"
    for label in ("01", "02", "03"):
        anat = folder / f"sub-{label}" / "anat"
        anat.mkdir(parents=True)
        (anat / f"sub-{label}_FLAIR.nii.gz").write_bytes(b"")
    (folder / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.10.1"}')
    (folder / "participants.tsv").write_text(
        "participant_id\tgroup\nsub-01\ttumour\nsub-02\tcontrol\nsub-03\tcontrol\n"
    )
    return folder


def test_it_is_in_step_with_the_parser() -> None:
    assert load_script().text() == DESCRIPTOR.read_text(), (
        "run: python scripts/boutiques_descriptor.py"
    )


def test_a_development_version_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    script = load_script()
    monkeypatch.setattr(script, "__version__", f"{script.__version__}.dev3+g1a2b3c4")
    assert script.text() == DESCRIPTOR.read_text()


def test_every_argument_of_the_parser_is_an_input(inputs: dict[str, dict[str, Any]]) -> None:
    flags = {item.get("command-line-flag") for item in inputs.values()}
    for action in build_parser()._actions:
        if action.dest in ("help", "version", "print_completion"):
            continue
        if action.option_strings:
            assert flags & set(action.option_strings), action.dest
        else:
            key = f"[{action.dest.upper()}]"
            assert any(item["value-key"] == key for item in inputs.values()), key
    for item in inputs.values():
        assert item["description"].strip()
        assert "default-value" not in item  # it would override --config-file


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bids_dir", {"type": "File", "optional": False}),
        ("output_dir_name", {"type": "String", "optional": True}),
        ("previous_output_dir", {"type": "File", "optional": True}),
        ("analysis_level", {"value-choices": ["participant", "group"], "optional": False}),
        ("participant_label", {"type": "String", "list": True, "optional": True}),
        ("tumourfree_dir", {"type": "File", "list": True}),
        ("bids_filter_file", {"type": "File"}),
        ("model", {"type": "File", "command-line-flag": "--model", "value-choices": None}),
        ("starter", {"type": "String", "command-line-flag": "--model"}),
        ("derivatives", {"type": "File", "list": True}),
        ("steps", {"value-choices": [step.value for step in Step], "list": True}),
        ("profile", {"type": "String", "value-choices": list(PROFILES)}),
        ("random_seed", {"type": "Number", "integer": True}),
        ("nprocs", {"type": "Number", "integer": True, "minimum": 1}),
        ("mem", {"type": "String"}),
        ("work_dir", {"type": "String"}),
        ("dry_run", {"type": "Flag", "optional": True}),
        ("verbose", {"type": "Flag", "command-line-flag": "--verbose"}),
    ],
)
def test_inputs_have_their_kind(
    inputs: dict[str, dict[str, Any]], name: str, expected: dict[str, Any]
) -> None:
    assert {key: inputs[name].get(key) for key in expected} == expected


def test_defaults_are_told_but_not_those_of_this_machine(
    inputs: dict[str, dict[str, Any]],
) -> None:
    assert inputs["random_seed"]["description"].endswith("(default: 527)")
    assert inputs["lesion"]["description"].endswith("(default: glioma)")
    assert inputs["nprocs"]["description"].endswith("(default: all that are available)")
    assert "(default" not in inputs["participant_label"]["description"]
    assert inputs["tumour_value"]["description"].count("(default") == 1


def test_every_exit_code_is_explained() -> None:
    codes = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    described = json.loads(DESCRIPTOR.read_text())["error-codes"]
    assert {entry["code"] for entry in described} == codes - {errors.EXIT_DONE}


@pytest.mark.parametrize("mode", [(), ("-b",)])
def test_it_is_valid(mode: tuple[str, ...], tmp_path: Path) -> None:
    result = bosh("validate", *mode, str(DESCRIPTOR), cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_command_line_it_makes_means_the_same_to_the_parser(bids: Path, tmp_path: Path) -> None:
    healthy = [tmp_path / "healthy one", tmp_path / "healthy2"]
    for folder in healthy:
        folder.mkdir()
    invocation = tmp_path / "invocation.json"
    invocation.write_text(
        json.dumps(
            {
                "bids_dir": str(bids),
                "output_dir_name": str(tmp_path / "out put"),
                "analysis_level": "participant",
                "participant_label": ["01", "sub-02"],
                "tumourfree_dir": [str(folder) for folder in healthy],
                "tumour_value": ["high grade", "glioma"],
                "steps": ["train", "preprocess"],
                "profile": "fast",
                "random_seed": 7,
                "nprocs": 3,
                "mem": "1.5 GB",
                "keep_work": True,
                "dry_run": False,
            }
        )
    )
    result = bosh("exec", "simulate", "-i", str(invocation), str(DESCRIPTOR), cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    line = next(line for line in result.stdout.splitlines() if line.startswith("mkdir -p "))
    made, _, command = line.partition("; ")
    assert shlex.split(made)[-1] == str(tmp_path / "out put")
    program, *arguments = shlex.split(command)
    assert program == "synthtumour-bids"
    settings = parse_settings(arguments)
    assert settings.bids_dir == bids
    assert settings.output_dir == tmp_path / "out put"
    assert settings.participant_label == ("01", "02")
    assert settings.tumourfree_dir == tuple(healthy)
    assert settings.tumour_values == ("high grade", "glioma")
    assert settings.steps == (Step.PREPROCESS, Step.TRAIN)
    assert settings.profile == PROFILES["fast"]
    assert (settings.seed, settings.nprocs, settings.mem_gb) == (7, 3, 1.5)
    assert (settings.keep_work, settings.dry_run) == (True, False)


def launch(invocation: dict[str, Any], cwd: Path) -> subprocess.CompletedProcess[str]:
    path = cwd / "invocation.json"
    path.write_text(json.dumps(invocation))
    options = ("--no-container", "--skip-data-collection")
    return bosh("exec", "launch", *options, str(DESCRIPTOR), str(path), cwd=cwd)


def test_it_launches_the_app(bids: Path, tmp_path: Path) -> None:
    result = launch(
        {
            "bids_dir": str(bids),
            "output_dir_name": "out",
            "analysis_level": "participant",
            "dry_run": True,
        },
        tmp_path,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 tumour and 2 tumour-free scans" in result.stdout
    assert "Missing files" in result.stdout.split("out (output_dir, Required)")[1]


def test_the_starter_is_a_word(bids: Path, tmp_path: Path) -> None:
    plan = {"output_dir_name": "out", "analysis_level": "participant", "dry_run": True}
    result = launch({"bids_dir": str(bids), "starter": "starter", **plan}, tmp_path)
    assert "--model starter" in result.stdout
    other = launch({"bids_dir": str(bids), "starter": "other", **plan}, tmp_path)
    assert other.returncode != 0


def test_exit_codes_come_through_with_their_meaning(bids: Path, tmp_path: Path) -> None:
    result = launch(
        {
            "bids_dir": str(bids),
            "output_dir_name": "out",
            "analysis_level": "participant",
            "model": str(bids),
        },
        tmp_path,
    )
    assert result.returncode == errors.EXIT_UNAVAILABLE, result.stdout + result.stderr
    assert "A template, a device or a model" in result.stdout
