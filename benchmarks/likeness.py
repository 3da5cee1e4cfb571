"""How alike two aligned scans are, of one person and of two.

What change between sessions is flagged by (``sessions_unlike``, ``steps/change.py``) lies between
both. Scans are FLAIR of a dataset; brain masks are named after them (``desc-brain_mask``).

    python benchmarks/likeness.py DATASET BRAIN_MASKS A:B C:D ...
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from synthtumour_bids.measures.change import likeness
from synthtumour_bids.preprocessing.sessions import Visit, find_halfway
from synthtumour_bids.volumes import load_volume


def load(dataset: Path, masks: Path, label: str) -> Visit:
    """A head without a lesion; the template's place is taken by the brain's centre."""
    (scan,) = (dataset / f"sub-{label}").glob("**/*_FLAIR.nii.gz")
    (mask,) = (masks / f"sub-{label}").glob("**/*_desc-brain_mask.nii.gz")
    head, brain = load_volume(scan), load_volume(mask)
    to_centre = np.eye(4)
    to_centre[:3, 3] = -nib.affines.apply_affine(brain.affine, ndimage.center_of_mass(brain.mask))
    nothing = type(brain)(np.zeros_like(brain.data), brain.affine, brain.spacing)
    return Visit(head, brain, nothing, to_centre)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("masks", type=Path)
    parser.add_argument("pairs", nargs="+", metavar="A:B")
    options = parser.parse_args()
    for pair in options.pairs:
        visits = [load(options.dataset, options.masks, label) for label in pair.split(":")]
        with tempfile.TemporaryDirectory() as folder:
            halfway = find_halfway(visits, work_dir=Path(folder), seed=1)
        one, other = (halfway.image(visit.head, n) for n, visit in enumerate(visits))
        alike = likeness(one, other, halfway.normal(visits, (0, 1)))
        print(f"{pair}: {alike:.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
