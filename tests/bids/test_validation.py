from __future__ import annotations

import json
import logging
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.bids import validation


def dataset(folder: Path) -> Path:
    anat = folder / "sub-01" / "anat"
    anat.mkdir(parents=True)
    description = {"Name": "Two cubes", "BIDSVersion": "1.10.0", "DatasetType": "raw"}
    (folder / "dataset_description.json").write_text(json.dumps(description))
    (folder / "README").write_text("Simulated.\n")
    image = nib.Nifti1Image(np.ones((8, 8, 8), np.float32), np.eye(4))
    nib.save(image, anat / "sub-01_FLAIR.nii.gz")
    return folder


def test_a_valid_dataset_has_no_errors(tmp_path: Path) -> None:
    assert validation.find_validator() is not None
    assert validation.input_errors(dataset(tmp_path)) == {}


def test_errors_are_counted_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("synthtumour_bids"), "propagate", True)
    folder = dataset(tmp_path)
    (folder / "sub-01" / "anat" / "sub-01_FLIAR.nii.gz").write_bytes(b"")
    assert validation.input_errors(folder)
    with caplog.at_level("WARNING", logger=validation.LOGGER.name):
        validation.warn_of_input_errors(folder)
    assert "--skip-bids-validation" in caplog.text
