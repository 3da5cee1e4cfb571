"""``--num-gpus`` where it cannot work: a sentence and a code before anything is computed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from synthtumour_bids.__main__ import main
from synthtumour_bids.cli.parser import parse_settings
from synthtumour_bids.errors import EXIT_UNAVAILABLE, EXIT_USAGE, UnavailableError, UsageError
from synthtumour_bids.segmentation.environment import training_devices


@pytest.mark.parametrize("device", ["cpu", "mps", "cuda:1", "cuda:0"])
def test_another_device_contradicts_several_gpus(device: str, tmp_path: Path) -> None:
    command = [str(tmp_path), str(tmp_path / "out"), "participant", "--device", device]
    with pytest.raises(UsageError, match=rf"--num-gpus 2 .* --device {device} asks"):
        parse_settings([*command, "--num-gpus", "2"])
    assert parse_settings([*command, "--num-gpus", "1"]).device == device


def test_gpus_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for word in ("auto", "cuda"):
        with pytest.raises(UnavailableError, match=r"finds \d+ CUDA device\(s\).* is not set"):
            training_devices(word, 64)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    with pytest.raises(UnavailableError, match="CUDA_VISIBLE_DEVICES is '3,5'"):
        training_devices("auto", 64)
    with pytest.raises(UsageError, match="--device cuda:1 for one"):
        training_devices("cuda:1", 2)
    assert training_devices("cpu", 1) == [torch.device("cpu")]
    assert training_devices("cpu", 2) == [torch.device("cpu")] * 2


@pytest.mark.parametrize(
    ("profile", "code", "words"),
    [("full", EXIT_UNAVAILABLE, "finds"), ("fast", EXIT_USAGE, "Use --num-gpus 1 or 2.")],
)
def test_the_app_refuses_before_it_computes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], profile: str, code: int, words: str
) -> None:
    bids = tmp_path / "bids"
    for label in ("01", "02"):
        anat = bids / f"sub-{label}" / "anat"
        anat.mkdir(parents=True)
        (anat / f"sub-{label}_FLAIR.nii.gz").write_bytes(b"")
    (bids / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.10.1"}')
    (bids / "participants.tsv").write_text(
        "participant_id\tgroup\nsub-01\ttumour\nsub-02\tcontrol\n"
    )
    command = [str(bids), str(tmp_path / "out"), "participant", "--skip-bids-validation"]
    assert main([*command, "--num-gpus", "64", "--profile", profile]) == code
    assert words in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("sub-*"))
