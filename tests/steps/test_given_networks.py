"""Segmenting with the networks of an earlier run (--model): what is taken, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from synthtumour_bids.__main__ import main
from synthtumour_bids.cli.parser import parse_settings
from synthtumour_bids.errors import (
    EXIT_DONE,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
    UnavailableError,
    UsageError,
)
from synthtumour_bids.layout import Network
from synthtumour_bids.segmentation.model_card import NEEDED, ModelCard
from synthtumour_bids.segmentation.norm import Norm
from synthtumour_bids.segmentation.norm_file import ABOUT, NORM, write_norm
from synthtumour_bids.segmentation.other_side_rules import OtherSide
from synthtumour_bids.settings import Settings
from synthtumour_bids.steps.given_networks import with_networks
from tests.builders.datasets import make
from tests.builders.jobs import write_network, write_networks


def taken(root: Path, model: Path, **more: str) -> Settings:
    return with_networks(Settings(root / "bids", root / "new", model=model, **more))


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """A run over one scan, without the model's folder."""
    bids = make(tmp_path / "bids", "sub-01_FLAIR.nii.gz")
    return [str(bids), str(tmp_path / "new"), "participant", "--model"]


@pytest.mark.parametrize("given", ["out", "out/models", "out/models/senior"])
def test_the_folder_may_be_the_output_its_models_or_the_senior(given: str, tmp_path: Path) -> None:
    models = write_networks(tmp_path / "out" / "models")
    settings = taken(tmp_path, tmp_path / given)
    assert settings.model == models
    assert settings.profile.resolution == 4.0


def test_a_model_brings_its_profile_resolution_and_lesion(tmp_path: Path) -> None:
    models = write_networks(tmp_path / "models", profile="fast", resolution=2.0, lesion="stroke")
    settings = taken(tmp_path, models)
    assert (settings.profile.name, settings.profile.resolution) == ("fast", 2.0)
    assert settings.lesion == "stroke"
    with pytest.raises(UsageError, match="--contrast"):
        taken(tmp_path, models, contrast="T1w")


@pytest.mark.parametrize("given", ["", "junior", "senior/fold_0"])
def test_other_folders_are_refused(given: str, tmp_path: Path) -> None:
    write_network(tmp_path / "out" / "models" / "junior", Network.JUNIOR)
    (tmp_path / "out" / "models" / "senior" / "fold_0").mkdir(parents=True)
    folder = tmp_path / "out" / "models" / given
    with pytest.raises(UnavailableError, match=r"looked for senior/model\.json .*Name the output"):
        taken(tmp_path, folder)


@pytest.mark.parametrize("missing", [f"{name}/{file}" for name in Network for file in NEEDED])
def test_both_networks_are_looked_for_at_once(
    missing: str, tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    models = write_networks(tmp_path / "models")
    assert main([*command, str(models), "--dry-run"]) == EXIT_DONE
    (models / missing).unlink()
    assert main([*command, str(models), "--dry-run"]) == EXIT_UNAVAILABLE
    assert missing in capsys.readouterr().err


@pytest.mark.parametrize("damaged", [NORM, ABOUT])
def test_a_norm_that_cannot_be_used_is_found_before_anything_is_computed(
    damaged: str, tmp_path: Path
) -> None:
    models = write_networks(tmp_path / "models")
    senior = ModelCard.read(models / Network.SENIOR).fingerprint
    write_norm(models, Norm(np.zeros((3, 3, 3), np.float32), np.eye(4), 12), OtherSide(), senior)
    assert taken(tmp_path, models).model == models
    (models / damaged).write_bytes(b"")
    with pytest.raises(UnavailableError, match="remove both"):
        taken(tmp_path, models)


def test_a_senior_without_its_junior_is_no_models_folder(tmp_path: Path) -> None:
    write_network(tmp_path / "models" / "senior")
    with pytest.raises(UnavailableError, match=r"missing: junior/model\.json, .*\. Name the"):
        taken(tmp_path, tmp_path / "models")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--retrain"], "so --retrain has no effect with it; leave one of them out"),
        (["--priors", __file__], "so --priors has no effect"),
        (["--retrain", "--priors", __file__], "so --retrain and --priors have no effect"),
        (["--steps", "train", "synthesise"], "--steps synthesise train at level participant"),
    ],
)
def test_what_only_training_heeds_is_refused(
    flags: list[str],
    words: str,
    tmp_path: Path,
    command: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*command, str(tmp_path), *flags]) == EXIT_USAGE
    assert f"--model trains nothing, so {words.removeprefix('so ')}" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_level_group_has_its_report_to_write(tmp_path: Path, command: list[str]) -> None:
    bids, out = command[:2]
    group = [bids, out, "group", "--model", str(tmp_path)]
    assert parse_settings(group)
    assert parse_settings([*group, "--steps", "train", "report"])
    assert parse_settings([*group, "--steps", "train", "--reports-only"])
    for steps in (["train"], ["preprocess", "segment"]):
        with pytest.raises(UsageError, match="at level group leaves nothing to do"):
            parse_settings([*group, "--steps", *steps])
