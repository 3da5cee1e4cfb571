"""What is lost when a network sees a scan through windows instead of the whole brain at once.

One trained network, the scans with truth, Dice on the template grid: windows of the size that it
was trained with, which overlap by half, as nnU-Net does by default, beside the whole brain.

    export SYNTHTUMOUR_COHORT=/data/cohort
    python benchmarks/cohort.py run OUT --profile fast
    python benchmarks/windows.py OUT SCRATCH [--network junior]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from cohort import cohort_folder, held_out, truths
from fabrication_cohort import array, on_grid

from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.segmentation.environment import torch_threads
from synthtumour_bids.segmentation.metrics import evaluate
from synthtumour_bids.segmentation.network import Network


class Windowed(Network):
    """A network that never sees more than in training."""

    def whole_window(self, shape: tuple[int, ...]) -> list[int]:
        return list(self.plan.patch_size)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--network", default="senior", choices=("junior", "senior"))
    options = parser.parse_args()
    model = options.out / "derivatives" / "models" / options.network
    networks = [kind(model, device="cpu", mirroring=True) for kind in (Windowed, Network)]
    spacing = (PROFILES["fast"].resolution,) * 3
    scores = {}
    print("scan, windows, whole brain", flush=True)
    for label, truth in truths(cohort_folder()).items():
        anat = options.out / "derivatives" / f"sub-{label}" / "anat"
        scan = on_grid(anat, options.scratch, truth)
        assert scan.truth is not None
        manual = array(scan.truth, bool)
        with torch_threads(2):
            found = [one.probabilities(scan.voxels[None], spacing)[0] > 0.5 for one in networks]
        scores[label] = [evaluate(mask, manual, spacing).dice for mask in found]
        print(label, *(f"{score:.3f}" for score in scores[label]), flush=True)
    for title, labels in (("all", list(scores)), ("held out", held_out(cohort_folder()))):
        means = np.mean([scores[label] for label in labels], axis=0)
        print(f"mean of {len(labels)} ({title})", *(f"{score:.3f}" for score in means))
    return 0


if __name__ == "__main__":
    sys.exit(main())
