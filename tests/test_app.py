"""The whole command on a small demo cohort, with real ANTs and real nnU-Net."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.__main__ import main
from synthtumour_bids.errors import EXIT_DONE, EXIT_NO_DATA, EXIT_SOME_FAILED, EXIT_UNAVAILABLE
from tests.finished import BROKEN, Finished


@pytest.mark.slow
def test_one_bad_scan_never_stops_the_others(finished: Finished) -> None:
    assert finished.code == EXIT_SOME_FAILED
    segmented = sorted(finished.out.glob("sub-*/**/*_label-L_mask.nii.gz"))
    native = [path for path in segmented if "space-" not in path.name]
    assert len(native) == 4
    assert not list(finished.out.glob(f"sub-{BROKEN}/**/*.nii.gz"))


@pytest.mark.slow
def test_masks_lie_on_their_scans_grid(finished: Finished) -> None:
    for path in finished.out.glob("sub-*/**/*_label-L_mask.nii.gz"):
        if "space-" in path.name:
            continue
        subject = path.name.split("_")[0]
        scan = nib.load(next((finished.bids / subject).glob("**/*_FLAIR.nii*")))
        mask = nib.load(path)
        assert mask.shape == scan.shape[:3]
        np.testing.assert_allclose(mask.affine, scan.affine, atol=1e-4)
        assert mask.get_sform(coded=True)[1] == scan.get_sform(coded=True)[1]
        assert mask.get_qform(coded=True)[1] == scan.get_qform(coded=True)[1]
        values = np.unique(np.asanyarray(mask.dataobj))
        assert set(values.tolist()) <= {0, 1}
        brain = nib.load(next(path.parent.glob(f"{subject}_desc-brain_mask.nii.gz")))
        assert not (np.asanyarray(mask.dataobj) > 0)[np.asanyarray(brain.dataobj) == 0].any()


@pytest.mark.slow
def test_the_network_learned_to_find_tumours(finished: Finished) -> None:
    dice = [
        float(row["dice"])
        for row in finished.rows("group_desc-tumour_volumes.tsv")
        if row.get("dice") not in (None, "n/a", "")
    ]
    assert len(dice) == 4
    assert np.mean(dice) > 0.2  # a minute of training on two cores; chance is about 0.02


@pytest.mark.slow
def test_output_is_valid_bids(finished: Finished) -> None:
    validator = Path(sys.executable).with_name("bids-validator-deno")
    result = subprocess.run(
        [str(validator), "--ignoreWarnings", "--format", "json", str(finished.out)],
        capture_output=True,
        text=True,
    )
    issues = json.loads(result.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []


@pytest.mark.slow
def test_models_describe_themselves(finished: Finished) -> None:
    for name in ("junior", "senior"):
        folder = finished.out / "models" / name
        model = json.loads((folder / "model.json").read_text())
        curve = json.loads((folder / "selection_curve.json").read_text())
        assert model["BestEpoch"] == curve["best_epoch"]
        assert (folder / "selection_curve.png").stat().st_size > 1000
        assert not set(model["TrainingCases"]) & set(model["ValidationCases"])


@pytest.mark.slow
def test_running_again_computes_nothing(
    finished: Finished, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = sorted(finished.out.glob("sub-*/**/*_mask.nii.gz"))
    times = [path.stat().st_mtime_ns for path in masks]
    assert main(finished.command("--keep-work")) == EXIT_SOME_FAILED  # the broken scan again
    assert [path.stat().st_mtime_ns for path in masks] == times
    assert f"FAILED  raw/sub-{BROKEN}" in capsys.readouterr().err


@pytest.mark.slow
def test_the_plan_is_printed_and_nothing_computed(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(finished.command("--dry-run")) == EXIT_DONE
    table = capsys.readouterr().out
    assert table.count(" done") >= 8
    assert main(finished.command("--dry-run", out=tmp_path / "new")) == EXIT_DONE
    assert "to do" in capsys.readouterr().out
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_a_trained_model_segments_new_scans(finished: Finished, tmp_path: Path) -> None:
    new = tmp_path / "new"
    source = next(path for path in finished.bids.glob("sub-*") if "tumour" in path.name)
    (new / "sub-99" / "anat").mkdir(parents=True)
    shutil.copy(finished.bids / "dataset_description.json", new)
    scan = next((source / "anat").glob("*_FLAIR.nii.gz"))
    shutil.copy(scan, new / "sub-99" / "anat" / "sub-99_FLAIR.nii.gz")
    command = [
        *(str(new), str(tmp_path / "out"), "participant", "--model", str(finished.out)),
        *("--profile", "sloppy", "--work-dir", str(tmp_path / "work"), "--nprocs", "2"),
    ]
    assert main(command) == EXIT_DONE
    assert (tmp_path / "out/sub-99/anat/sub-99_label-L_mask.nii.gz").is_file()
    assert list((tmp_path / "work").iterdir()) == []


def test_a_folder_without_model_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bids").mkdir()
    (tmp_path / "models").mkdir()
    command = [str(tmp_path / "bids"), str(tmp_path / "out"), "participant"]
    assert main([*command, "--model", str(tmp_path / "models")]) == EXIT_UNAVAILABLE
    assert "senior/model.json" in capsys.readouterr().err


def test_an_empty_dataset_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "bids").mkdir()
    command = [str(tmp_path / "bids"), str(tmp_path / "out"), "participant"]
    assert main(command) == EXIT_NO_DATA
