"""--model starter: which network it means, what a run with it looks like, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from synthtumour_bids.__main__ import main
from synthtumour_bids.cli.parser import parse_settings
from synthtumour_bids.errors import (
    EXIT_DONE,
    EXIT_NO_DATA,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
    UnavailableError,
)
from synthtumour_bids.execution.logs import settings_as_toml
from synthtumour_bids.segmentation.model_card import CARD, WEIGHTS
from synthtumour_bids.segmentation.starters import (
    SHIPPED,
    VARIABLE,
    bundles,
    find_starter,
    read_starter,
    starter_for,
)
from synthtumour_bids.settings import Settings
from synthtumour_bids.steps.given_networks import with_networks
from tests.builders.datasets import make
from tests.builders.starters import change_card, write_starter


@pytest.fixture
def starter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Path:
    """A starter for gliomas in FLAIR images, and none that is shipped."""
    monkeypatch.setattr("synthtumour_bids.segmentation.starters.SHIPPED", tmp_path / "shipped")
    folder = write_starter(tmp_path)
    monkeypatch.setenv(VARIABLE, str(folder.parent))
    return folder


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    bids = make(tmp_path / "bids", "sub-01_FLAIR.nii.gz", "sub-02_FLAIR.nii.gz")
    return [str(bids), str(tmp_path / "out"), "participant", "--model", "starter"]


def test_the_word_and_the_folder_mean_the_same(
    starter: Path, command: list[str], tmp_path: Path
) -> None:
    for given in ("starter", str(starter)):
        settings = with_networks(parse_settings([*command[:-1], given, "--profile", "full"]))
        assert settings.model == starter
        assert settings.profile.resolution == 4.0
        assert settings.profile.name == "sloppy", "the profile of its grid, for the estimate"
    assert with_networks(Settings(tmp_path, tmp_path, model="starter")).model == starter


def test_a_starter_without_its_weights_is_told_from_the_networks_of_a_run(
    starter: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (starter / WEIGHTS).unlink()
    for given in ("starter", str(starter)):
        assert main([*command[:-1], given, "--dry-run"]) == EXIT_UNAVAILABLE
        told = capsys.readouterr().err
        assert f"The network in {starter} cannot be used: {WEIGHTS} is missing." in told


def test_a_folder_of_that_name_is_told_apart(
    tmp_path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "starter").mkdir()
    monkeypatch.chdir(tmp_path)
    assert parse_settings(command).model == "starter"
    assert parse_settings([*command[:-1], "./starter"]).model == tmp_path / "starter"


def test_the_settings_of_a_run_bring_the_word_back(tmp_path: Path, command: list[str]) -> None:
    path = tmp_path / "run.toml"
    path.write_text(settings_as_toml(parse_settings(command)))
    assert parse_settings([*command[:3], "--config-file", str(path)]).model == "starter"


def test_the_newest_is_taken_and_the_folder_of_the_variable_goes_first(
    starter: Path, tmp_path: Path
) -> None:
    for place, version in (("starters", "1.10"), ("starters", "1.9"), ("shipped", "7")):
        other = tmp_path / place / f"starter-flair-4mm-{version}"
        shutil.copytree(starter, other)
        change_card(other, Version=version)
    assert [read_starter(one).about.version for one in bundles()] == ["1.10", "1.9", "1.0", "7"]
    found = find_starter("FLAIR", "glioma")
    assert found.about.version == "1.10"
    assert found.model.card == found.card


def test_the_plan_tells_of_the_starter(
    starter: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--dry-run", "--nprocs", "1"]) == EXIT_DONE
    plan = capsys.readouterr().out
    lines = plan.splitlines()
    assert "2 tumour and 0 tumour-free scans" in plan
    assert {"synthesise: not asked", "starter: given", "report: to do"} <= set(lines)
    assert "junior" not in plan
    assert f"{starter}: works on a grid of 4 mm." in lines
    assert "Profile sloppy takes up to" in lines[-1]
    assert "less than 1 GB of scratch space" in lines[-1]


@pytest.mark.parametrize(
    "flags", [["--contrast", "T2w"], ["--lesion", "stroke"], ["--lesion", "metastasis"]]
)
def test_other_contrasts_and_lesions_have_none(
    flags: list[str], starter: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, *flags, "--dry-run"]) == EXIT_UNAVAILABLE
    told = capsys.readouterr().err
    for words in (flags[1], f"found {starter.name} (FLAIR, glioma)", "Choose --contrast", VARIABLE):
        assert words in told
    assert not Path(command[1]).exists()


def test_where_there_is_none_at_all(
    command: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("synthtumour_bids.segmentation.starters.SHIPPED", tmp_path / "shipped")
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(UnavailableError, match=r"found none at all\. Choose"):
        with_networks(parse_settings(command))


@pytest.mark.parametrize("damage", ["weights", "card", "newer", "link"])
def test_a_damaged_starter_is_a_sentence(
    damage: str, starter: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    match damage:
        case "weights":
            (starter / WEIGHTS).unlink()
        case "card":
            (starter / CARD).write_text("{")
        case "newer":
            change_card(starter, Schema=99)
        case "link":
            (starter / WEIGHTS).rename(starter / "elsewhere")
            (starter / WEIGHTS).symlink_to(starter / "elsewhere")
    assert main([*command, "--dry-run"]) == EXIT_UNAVAILABLE
    told = capsys.readouterr().err
    assert told.startswith(f"synthtumour-bids: error: The network in {starter} cannot be used: ")
    assert VARIABLE in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("nowhere", "there is no such folder"),
        ("empty", "found none"),
        ("file", "there is no such folder"),
        ("bundle", "name the folder that it lies in"),
    ],
)
def test_a_variable_that_leads_nowhere_is_refused(
    place: str,
    told: str,
    starter: Path,
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And no starter of the package segments in its place."""
    monkeypatch.setattr("synthtumour_bids.segmentation.starters.SHIPPED", starter.parent)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    further = starter if place == "bundle" else tmp_path / place
    monkeypatch.setenv(VARIABLE, str(further))
    for flags in (command, [*command[:3], "--junior", "starter"]):
        assert main([*flags, "--dry-run"]) == EXIT_UNAVAILABLE
        said = capsys.readouterr().err
        assert f"{VARIABLE}: looked in {further} for folders starter-*, " in said
        assert told in said
    monkeypatch.delenv(VARIABLE)
    assert main([*command, "--dry-run"]) == EXIT_DONE


@pytest.mark.parametrize("damage", ["weights", "card", "none"])
def test_one_for_something_else_may_be_damaged(
    damage: str, starter: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    other = starter.with_name("starter-stroke-dwi-4mm-1.0")
    shutil.copytree(starter, other)
    change_card(other, Contrast="DWI", Lesion="stroke")
    match damage:
        case "weights":
            (other / WEIGHTS).write_bytes(b"")
        case "card":
            (other / CARD).write_text("{")
        case "none":
            (other / CARD).unlink()
    assert main([*command, "--dry-run"]) == EXIT_DONE
    capsys.readouterr()
    assert main([*command, "--dry-run", "--lesion", "metastasis"]) == EXIT_UNAVAILABLE
    assert f"{other.name} (cannot be used)" in capsys.readouterr().err
    with pytest.raises(UnavailableError, match=f"{other} cannot be used.*{VARIABLE}"):
        starter_for("DWI", "stroke")


@pytest.mark.parametrize("name", ["starter-flair-4mm-1.1", "starter-mine"])
def test_one_that_may_be_meant_may_not(name: str, starter: Path) -> None:
    """Or an older one would segment without a word."""
    shutil.copytree(starter, starter.with_name(name))
    (starter.with_name(name) / CARD).unlink()
    with pytest.raises(UnavailableError, match=f"{name} cannot be used: {CARD} is missing"):
        starter_for("FLAIR", "glioma")
    if "flair" in name:
        assert starter_for("T2w", "glioma") is None


def test_what_only_training_heeds_is_refused(
    starter: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--retrain"]) == EXIT_USAGE
    assert "--model trains nothing" in capsys.readouterr().err
    assert main([*command[:-1], str(starter), "--contrast", "T1w"]) == EXIT_USAGE
    assert "--contrast asks for T1w" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "value", "trained"),
    [
        ("--lesion", "stroke", "glioma"),
        ("--preset", "reference", "default"),
        ("--method", "fabrication", "synthtumour"),
    ],
)
def test_another_network_than_the_given_one_is_refused(
    flag: str,
    value: str,
    trained: str,
    starter: Path,
    command: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = flag[2:]
    given = [*command[:-1], str(starter), flag]
    assert main([*given, value, "--dry-run"]) == EXIT_USAGE
    told = capsys.readouterr().err
    assert f"{starter} was trained with {name} {trained}; {flag} asks for {value}. Leave" in told
    assert main([*given, trained, "--dry-run"]) == EXIT_DONE
    change_card(starter, Lesion="stroke")
    if name == "lesion":
        assert main([*given, value, "--dry-run"]) == EXIT_DONE
        assert main([*given[:-1], "--dry-run"]) == EXIT_DONE, "it is the model that tells"


def test_what_cannot_be_trained_can_be_segmented_by_a_starter(
    tmp_path: Path, command: list[str], starter: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whose refusals say so, where there is a starter."""
    out = "Or train nothing: level participant, --model starter."
    without = [*command[:3], "--dry-run"]
    change_card(starter, Contrast="T2w")
    make(tmp_path / "bids", *(f"sub-{n}_T2w.nii.gz" for n in range(5)))
    told = {}
    for contrast in ("T2w", "FLAIR"):
        assert main([*without, "--contrast", contrast]) == EXIT_NO_DATA
        told[contrast] = capsys.readouterr().err
        assert "It cannot be told which participants have a tumour" in told[contrast]
        assert (out in told[contrast]) is (contrast == "T2w")
    assert main([*without, "--contrast", "T2w", "--group-column", "Dx"]) == EXIT_NO_DATA
    assert out not in capsys.readouterr().err, "who names a column must have it"
    assert main([*without, "--contrast", "T2w", "--junior", "starter"]) == EXIT_NO_DATA
    said = capsys.readouterr().err
    assert "Training needs at least 2 tumour-free participants" in said
    assert out in said


def test_starters_that_are_shipped_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("synthtumour_bids.segmentation.starters.SHIPPED", SHIPPED)
    for one in map(read_starter, bundles()):
        assert one.folder.parent == SHIPPED
        assert "Copyright" in json.dumps(one.card.details)
