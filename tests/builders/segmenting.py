"""A scan that two networks have looked at, to be segmented."""

from __future__ import annotations

from pathlib import Path

import ants
import nibabel as nib
import numpy as np

from synthtumour_bids.bids.classes import WHOLE_TUMOUR
from synthtumour_bids.methods.comparison import KEPT, Comparison
from synthtumour_bids.preprocessed import Preprocessing
from synthtumour_bids.steps.segment import Networks, SegmentTask
from tests.builders.jobs import make_job

SHAPE = (24, 28, 26)
VOXEL = 3.0
LESION = (slice(5, 12), slice(8, 16), slice(8, 16))  # 12 mL
SATELLITE = (slice(16, 18), slice(10, 12), slice(12, 15))  # 0.32 mL: under 3 % of the lesion
SMALL = (slice(16, 18), slice(10, 12), slice(18, 19))  # 0.1 mL
SPECK = (18, 20, 18)  # 0.03 mL
FALSE = (slice(14, 20), slice(18, 24), slice(5, 10))  # 5 mL of normal brain


def save(path: Path, data: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.diag([VOXEL, VOXEL, VOXEL, 1.0])
    affine[0, 3] = -VOXEL * (SHAPE[0] - 1) / 2  # left and right of x = 0, as on the template
    nib.save(nib.Nifti1Image(data, affine), path)
    return path


def make_task(tmp_path: Path) -> SegmentTask:
    """A preprocessed scan on the template's very grid, and what both networks say about it."""
    job = make_job(tmp_path, tumours=1)
    scan = job.selection.everything[0]
    brain = np.zeros(SHAPE, np.uint8)
    brain[2:-2, 2:-2, 2:-2] = 1
    probability = np.zeros(SHAPE, np.float32)
    for place in (LESION, SATELLITE, SMALL, SPECK):
        probability[place] = 0.9
    layout = job.layout
    save(layout.native_image(scan), brain.astype(np.float32))
    for path in (layout.native_brain(scan), layout.standard_brain(scan)):
        save(path, brain)
    identity = ants.create_ants_transform(transform_type="AffineTransform", dimension=3)
    ants.write_transform(identity, str(layout.transform(scan)))
    predicted = {
        name: save(tmp_path / "predictions" / f"{name}.nii.gz", probability)
        for name in ("junior", "senior")
    }
    unrefined = dict.fromkeys(predicted)
    fingerprints = {name: f"weights of {name}" for name in predicted}
    networks = Networks(fingerprints, unrefined, WHOLE_TUMOUR, "glioma", Comparison(None, KEPT))
    record = Preprocessing("p", {}, (), scan.role, 4.0, "")
    return SegmentTask(scan, predicted, record, networks, layout)
