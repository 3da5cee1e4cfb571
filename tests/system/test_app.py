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
from synthtumour_bids.errors import (
    EXIT_DONE,
    EXIT_NO_DATA,
    EXIT_SOME_FAILED,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
)
from tests.builders.datasets import make, table
from tests.builders.finished import BROKEN, Finished


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
    again = finished.command("--keep-work", "--nprocs", "1")
    assert main(again) == EXIT_SOME_FAILED  # the broken scan again
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


def small_cohort(root: Path, n_tumourfree: int, contrast: str = "FLAIR") -> list[str]:
    """Start of the command for empty images of one tumour and some tumour-free participants."""
    labels = [f"h{number}" for number in range(n_tumourfree)]
    bids = make(root / "bids", *(f"sub-{label}_{contrast}.nii.gz" for label in ("t", *labels)))
    (bids / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.10.1"}')
    table(bids, "sub-t\ttumour", *(f"sub-{label}\tcontrol" for label in labels))
    command = [str(bids), str(root / "out"), "participant", "--skip-bids-validation"]
    return [*command, "--contrast", contrast]


@pytest.mark.parametrize("more", [[], ["--dry-run"], ["--participant-label", "t"]])
def test_a_cohort_that_cannot_train_is_refused_before_it_is_preprocessed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    # In FLAIR images heads would be simulated.
    assert main([*small_cohort(tmp_path, 1, "T2w"), *more]) == EXIT_NO_DATA
    printed = capsys.readouterr()
    assert "found 1 tumour-free participants and 1 tumour scans, 0 of them held" in printed.err
    assert "to do" not in printed.out
    assert not list((tmp_path / "out").glob("sub-*"))


def test_one_participant_of_a_cohort_that_can_train_is_planned(tmp_path: Path) -> None:
    command = [*small_cohort(tmp_path, 2), "--dry-run", "--participant-label", "t"]
    assert main(command) == EXIT_DONE
    assert main([*command, "--steps", "preprocess"]) == EXIT_DONE


def test_a_dry_run_does_without_torch(tmp_path: Path) -> None:
    command = [*small_cohort(tmp_path, 2), "--dry-run", "--profile", "fast", "--num-gpus", "2"]
    program = (
        "import sys\nfrom synthtumour_bids.__main__ import main\n"
        f"assert main({command}) == 0\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_device_that_is_not_there_is_refused_before_scans_are_preprocessed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*small_cohort(tmp_path, 2), "--device", "cuda:63"]
    assert main(command) == EXIT_UNAVAILABLE
    assert "--device cuda:63 was asked for" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("sub-*"))


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_an_unwritable_work_folder_is_no_internal_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    command = [*small_cohort(tmp_path, 2), "--work-dir", "/proc/synthtumour", *more]
    assert main(command) == EXIT_USAGE
    assert "The work folder /proc/synthtumour (--work-dir) cannot be" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
