"""A finished folder goes on: its senior teaches another one, and nothing else is trained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from synthtumour_bids.__main__ import main
from synthtumour_bids.errors import EXIT_SOME_FAILED, EXIT_USAGE
from synthtumour_bids.segmentation.model_card import ModelCard
from tests.builders.finished import Finished

pytestmark = pytest.mark.slow


def test_a_senior_teaches_another_one(finished: Finished, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished.out, out)
    command = finished.command("--nprocs", "1", out=out)
    models = out / "models"
    junior, first = (ModelCard.read(models / name) for name in ("junior", "senior"))
    assert main([*command, "--rounds", "2"]) == EXIT_SOME_FAILED  # one scan is damaged
    assert ModelCard.read(models / "junior") == junior
    assert ModelCard.read(models / "rounds" / "1") == first
    second = ModelCard.read(models / "senior")
    assert second.details["Round"] == 2
    assert second.details["Teacher"] == {"Round": 1, "Fingerprint": first.fingerprint}
    assert second.training["from_junior"]
    taught, chose = (
        {name.partition("-")[2] for name in names if "mix" not in name}
        for names in (first.training_cases, second.validation_cases)
    )
    assert not taught & chose
    assert not (models / "rounds" / "2").exists()

    masks = list(out.glob("sub-*/anat/*_label-L_mask.json"))
    told = [json.loads(path.read_text()) for path in masks]
    assert {one["Round"] for one in told} == {2}
    assert {one["Models"]["senior"] for one in told} == {second.fingerprint}
    own = [json.loads(path.read_text()) for path in out.glob("sub-*/anat/*_desc-junior_mask.json")]
    assert all("Round" not in one for one in own)
    assert {one["Models"]["junior"] for one in own} == {junior.fingerprint}
    assert "the senior of round 2 of 2" in (out / "logs" / "CITATION.md").read_text()
    assert "Senior of round 1</h3>" in (models / "report.html").read_text()

    times = [path.stat().st_mtime_ns for path in masks]
    assert main(command) == EXIT_SOME_FAILED, "without the flag it stays with two"
    assert [path.stat().st_mtime_ns for path in masks] == times
    assert main([*command, "--rounds", "1"]) == EXIT_USAGE
