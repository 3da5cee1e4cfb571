"""The App for Brainlife on one scan, with the networks of an earlier run."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.errors import EXIT_DONE
from tests.builders.finished import Finished
from tests.packaging.test_brainlife import run, task

__all__ = ["task"]


@pytest.mark.slow
def test_one_scan_is_segmented(finished: Finished, task: Path) -> None:
    source = next(
        path for path in finished.bids.glob("sub-*/anat/*_FLAIR.nii.gz") if "tumour" in path.name
    )
    scan = task.parent / "other task" / "flair.nii.gz"
    scan.parent.mkdir()
    shutil.copy(source, scan)
    shutil.copytree(finished.out / "models", task.parent / "model")
    for path in (*task.parent.glob("model/**/*"), scan):
        path.chmod(0o555 if path.is_dir() else 0o444)
    config = {
        "flair": "../other task/flair.nii.gz",
        "model": "../model",
        "nprocs": 2,
        "_inputs": [
            {"id": "x", "keys": ["model"], "meta": {"subject": "wrong"}},
            {"id": "y", "keys": ["flair"], "meta": {"subject": "A-7", "session": "post_op"}},
        ],
    }
    code, log = run(task, config)
    assert code == EXIT_DONE, log

    mask = nib.load(task / "mask" / "mask.nii.gz")
    original = nib.load(source)
    assert mask.shape == original.shape[:3]
    np.testing.assert_allclose(mask.affine, original.affine, atol=1e-4)
    made = task / "derivatives/sub-A7/ses-postop/anat/sub-A7_ses-postop_label-L_mask.nii.gz"
    assert made.read_bytes() == (task / "mask" / "mask.nii.gz").read_bytes()

    product = json.loads((task / "product.json").read_text())
    kinds = [message["type"] for message in product["brainlife"]]
    assert kinds[0] == "success"
    assert "info" in kinds
    assert "error" not in kinds
    voxel_ml = float(np.prod(original.header.get_zooms()[:3])) / 1000
    volume = float((np.asanyarray(mask.dataobj) > 0).sum()) * voxel_ml
    assert product["figures"]["volume_mL"] == pytest.approx(volume, abs=0.01)
    assert ("plotly" in kinds) == (volume > 0)
    assert "lesion" in product["mask"]["tags"]
    assert (task / "product.json").stat().st_size < 10_000

    page = (task / "report" / "html" / "index.html").read_text()
    shown = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert any(name.startswith("sub-") and name.endswith(".html") for name in shown)
    for name in shown:
        assert (task / "report" / "html" / name).is_file()
    assert scan.read_bytes() == source.read_bytes()
