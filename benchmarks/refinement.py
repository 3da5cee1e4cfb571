"""What refining by the scan brings, and how much depends on how it is done.

The scans with truth, Dice on the template grid: what each network says alone, refined as the app
does it, and refined with one setting at a time changed. Cavities are filled everywhere.

    export SYNTHTUMOUR_COHORT=/data/cohort
    python benchmarks/cohort.py run OUT --profile fast
    python benchmarks/refinement.py OUT SCRATCH
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from cohort import cohort_folder, held_out, truths
from fabrication_cohort import array, on_grid
from scipy import ndimage

from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.segmentation.environment import torch_threads
from synthtumour_bids.segmentation.network import Network
from synthtumour_bids.synthesis.borders import Evidence, refine_borders
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.geometry import dice

WAYS: dict[str, Evidence | None] = {
    "network alone": None,
    "refined": Evidence(),
    **{
        f"{name} {value:g}": replace(Evidence(), **{name: value})
        for name, values in {
            "inside_mm": (0.0, 4.0),
            "outside_mm": (3.0, 10.0),
            "reach_mm": (8.0, 16.0),
            "blur_mm": (1.0, 2.0),
            "border": (0.3, 0.5),
            "limit": (2.0, 4.0),
        }.items()
        for value in values
    },
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("scratch", type=Path)
    options = parser.parse_args()
    spacing = (PROFILES["fast"].resolution,) * 3
    held = held_out(cohort_folder())
    for name in ("junior", "senior"):
        network = Network(
            options.out / "derivatives" / "models" / name, device="cpu", mirroring=True
        )
        scores: dict[str, list[float]] = {}
        for label, truth in truths(cohort_folder()).items():
            anat = options.out / "derivatives" / f"sub-{label}" / "anat"
            scan = on_grid(anat, options.scratch, truth)
            assert scan.truth is not None
            manual, image = array(scan.truth, bool), scan.voxels
            with torch_threads(2):
                said = network.probabilities(image[None], spacing)[0]
            scores[label] = []
            brain = Brain(image, scan.mask, spacing)
            for evidence in WAYS.values():
                found = said if evidence is None else refine_borders(said, brain, evidence)
                scores[label].append(dice(ndimage.binary_fill_holes(found >= 0.5), manual))
        print(f"{name}: mean of all {len(scores)}, of the held-out {len(held)}")
        for way, all_, blind in zip(
            WAYS,
            np.mean(list(scores.values()), axis=0),
            np.mean([scores[label] for label in held], axis=0),
            strict=True,
        ):
            print(f"  {way}: {all_:.3f} {blind:.3f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
