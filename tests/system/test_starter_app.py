"""Masks at once, with a network that was trained beforehand."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.__main__ import main
from synthtumour_bids.demo.first_mask import segment_at_once
from synthtumour_bids.demo.phantom import write_cohort
from synthtumour_bids.errors import EXIT_DONE
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.segmentation.starters import VARIABLE
from tests.builders.short import SHORTEST
from tests.builders.starters import DATA, write_starter


@pytest.mark.slow
def test_a_starter_segments_without_any_training(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As the demo does it, which says how long it took and how good it is."""
    starter = write_starter(tmp_path / "more", model)
    monkeypatch.setenv(VARIABLE, str(starter.parent))
    cohort = write_cohort(tmp_path, n_tumourfree=0, n_tumour=1, resolution=4.0, seed=3)
    out = tmp_path / "first-mask"
    command = [str(cohort.bids_dir), str(out), "participant", "--model", "starter", "--profile"]
    command += ["fast", "--truth", str(cohort.truth_dir), "--nprocs", "1"]
    subjects = sorted(path.name for path in cohort.bids_dir.glob("sub-*"))
    assert segment_at_once(cohort, "tumour01", tmp_path, nprocs=1) == EXIT_DONE
    said = capsys.readouterr().out
    assert "sub-tumour01_label-L_mask.nii.gz  (" in said
    assert "nothing trained, Dice 0." in said

    card = ModelCard.read(starter)
    for subject in subjects:
        anat = out / subject / "anat"
        names = {path.name.removeprefix(f"{subject}_") for path in anat.glob("*.nii.gz")}
        grid = "space-MNI152NLin2009aSym_res-4"
        assert {"label-L_mask.nii.gz", "label-L_probseg.nii.gz"} <= names
        assert {f"{grid}_label-L_mask.nii.gz", "desc-uncertainty_probseg.nii.gz"} <= names
        assert not [name for name in names if "junior" in name]
        told = json.loads((anat / f"{subject}_label-L_mask.json").read_text())
        assert told["Models"] == {"starter": card.fingerprint}
        assert "junior_senior_dice" not in told["QualityControl"]
        uncertainty = nib.load(anat / f"{subject}_desc-uncertainty_probseg.nii.gz")
        assert 0 < np.asanyarray(uncertainty.dataobj).max() <= 1

    for name in ("participants.tsv", "group_desc-tumour_volumes.tsv"):
        with (out / name).open() as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
        assert [row["participant_id"] for row in rows] == subjects
        assert {row["junior_senior_dice"] for row in rows} == {"n/a"}
        assert all(float(row["dice"]) >= 0 for row in rows)
        assert all("low_agreement" not in row["qc_flags"] for row in rows)
    written = (out / "logs" / "CITATION.md").read_text()
    for words in ("segmented by the starter", DATA, card.fingerprint, "The starter's tumour"):
        assert words in written
    assert "junior" not in written
    assert not (out / "models").exists()

    masks = sorted(out.glob("sub-*/anat/*_mask.nii.gz"))
    times = [path.stat().st_mtime_ns for path in masks]
    assert main(command) == EXIT_DONE, "the same again, whatever profile is asked for"
    assert [path.stat().st_mtime_ns for path in masks] == times

    validator = Path(sys.executable).with_name("bids-validator-deno")
    result = subprocess.run(
        [str(validator), "--ignoreWarnings", "--format", "json", str(out)],
        capture_output=True,
        text=True,
    )
    issues = json.loads(result.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []


@pytest.mark.slow
def test_a_senior_learns_from_a_starter_without_any_tumour_free_scan(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROFILES, "sloppy", SHORTEST)
    starter = write_starter(tmp_path / "more", model)
    monkeypatch.setenv(VARIABLE, str(starter.parent))
    cohort = write_cohort(tmp_path, n_tumourfree=0, n_tumour=4, resolution=4.0, seed=3)
    out = tmp_path / "out"
    command = [str(cohort.bids_dir), str(out), "participant", "--profile", "sloppy"]
    command += ["--nprocs", "1", "--skip-bids-validation"]
    assert main(command) == EXIT_DONE

    junior, senior = (ModelCard.read(out / "models" / name) for name in ("junior", "senior"))
    told = ModelCard.read(starter)
    assert junior.fingerprint == told.fingerprint
    assert senior.details["Junior"]["Fingerprint"] == told.fingerprint
    assert senior.details["SimulatedHosts"]["Count"] >= 3
    assert any(name.startswith("negative-simulated__sub-") for name in senior.training_cases)
    assert all(uri.startswith("bids:raw:") for uri in senior.scans)

    masks = sorted(out.glob("sub-*/anat/*_label-L_mask.nii.gz"))
    native = [path for path in masks if "space-" not in path.name]
    assert len(native) == 4
    assert len(list(out.glob("sub-*/anat/*_label-L_desc-junior_mask.nii.gz"))) == 4
    for path in native:
        fields = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
        assert fields["JuniorSource"] == "starter 1.0"
        assert fields["Models"] == {"junior": told.fingerprint, "senior": senior.fingerprint}
    written = (out / "logs" / "CITATION.md").read_text()
    for words in ("The junior network was not trained in this study", DATA, "simulated heads"):
        assert words in written
    assert "A junior network, nnU-Net" not in written

    times = [path.stat().st_mtime_ns for path in masks]
    monkeypatch.delenv(VARIABLE)
    assert main(command) == EXIT_DONE, "its junior stays, whatever starters there are"
    assert [path.stat().st_mtime_ns for path in masks] == times
