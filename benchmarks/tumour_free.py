"""How much a trained network marks in scans without a tumour.

Every tumour-free scan of a run, on the template grid: those whose samples the junior was trained
on, and those that only validated it.

    export SYNTHTUMOUR_COHORT=/data/cohort
    python benchmarks/cohort.py run OUT --profile fast
    python benchmarks/tumour_free.py OUT [--network junior]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import nibabel as nib
import numpy as np

from synthtumour_bids.segmentation.environment import torch_threads
from synthtumour_bids.segmentation.network import Network


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--network", default="senior", choices=("junior", "senior"))
    options = parser.parse_args()
    models = options.out / "derivatives" / "models"
    network = Network(models / options.network, device="cpu", mirroring=True)
    junior = json.loads((models / "junior" / "model.json").read_text())
    marked: dict[str, list[float]] = {"trained": [], "validated": []}
    folder = options.out / "derivatives" / "derivatives" / "tumourfree"
    for path in sorted(folder.glob("sub-*/**/anat/*_space-*_desc-preproc_*.nii.gz")):
        image = nib.load(path)
        zooms = tuple(float(size) for size in image.header.get_zooms()[:3])
        with torch_threads(2):
            found = network.probabilities(image.get_fdata(dtype=np.float32)[None], zooms)[0] > 0.5
        volume = float(np.count_nonzero(found) * np.prod(zooms)) / 1000
        stem = path.name.split("_space-")[0]
        trained = any(f"-{stem}-" in case for case in junior["TrainingCases"])
        marked["trained" if trained else "validated"].append(volume)
        print(f"{stem}{'' if trained else ' (validation)'} {volume:.1f} mL", flush=True)
    for side, volumes in marked.items():
        if volumes:
            print(
                f"{side}: {len(volumes)} scans, median {np.median(volumes):.0f} mL, "
                f"{min(volumes):.0f} to {max(volumes):.0f} mL, "
                f"{sum(volume < 1 for volume in volumes)} with less than 1 mL"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
