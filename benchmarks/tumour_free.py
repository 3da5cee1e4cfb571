"""What junior and senior mark in scans without a tumour, and whether the app would flag it.

Every tumour-free scan of a run, on the template grid: those whose samples the junior was trained
on, and those that only validated it. The app flags a mask (``low_agreement``) where junior and
senior have a Dice below 0.5, and an ``empty`` one.

    export SYNTHTUMOUR_COHORT=/data/cohort
    python benchmarks/cohort.py run OUT --profile fast
    python benchmarks/tumour_free.py OUT
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from synthtumour_bids.methods.border_refinement import refined
from synthtumour_bids.methods.label_free.method import LabelFree
from synthtumour_bids.methods.label_free.recipes import RECIPES
from synthtumour_bids.segmentation.environment import torch_threads
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.segmentation.network import Network
from synthtumour_bids.steps.measurements import LOWEST_AGREEMENT
from synthtumour_bids.volumes import load_volume

NETWORKS = ("junior", "senior")


@dataclass(frozen=True)
class Marked:
    """What both networks marked in one scan: volumes in mL, and their Dice (1 for nothing)."""

    junior: float
    senior: float
    agreement: float

    @property
    def flagged(self) -> bool:
        return self.senior == 0 or self.agreement < LOWEST_AGREEMENT


def mark(models: Path, networks: dict[str, Network], path: Path) -> Marked:
    image = load_volume(path)
    brain = load_volume(path.with_name(path.name.replace("desc-preproc_FLAIR", "desc-brain_mask")))
    masks = []
    for name in NETWORKS:
        with torch_threads(2):
            said = networks[name].probabilities(image.data[None], image.spacing)[0]
        probability = replace(image, data=said)
        card = ModelCard.read(models / name)
        evidence = LabelFree(RECIPES[card.preset]).border_evidence(card)
        masks.append(refined(probability, path, brain.mask, evidence) >= 0.5)
    one, two = masks
    voxels = np.count_nonzero(one), np.count_nonzero(two)
    both = sum(voxels)
    ml = float(np.prod(image.spacing)) / 1000
    agreement = 2 * np.count_nonzero(one & two) / both if both else 1.0
    return Marked(voxels[0] * ml, voxels[1] * ml, agreement)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    models = options.out / "derivatives" / "models"
    networks = {name: Network(models / name, device="cpu", mirroring=True) for name in NETWORKS}
    junior = json.loads((models / "junior" / "model.json").read_text())
    sides: dict[str, list[Marked]] = {"trained": [], "validated": []}
    folder = options.out / "derivatives" / "derivatives" / "tumourfree"
    for path in sorted(folder.glob("sub-*/**/anat/*_space-*_desc-preproc_FLAIR.nii.gz")):
        one = mark(models, networks, path)
        stem = path.name.split("_space-")[0]
        trained = any(f"-{stem}-" in case for case in junior["TrainingCases"])
        sides["trained" if trained else "validated"].append(one)
        print(
            f"{stem}{'' if trained else ' (validation)'}: junior {one.junior:.1f} mL, senior "
            f"{one.senior:.1f} mL, agreement {one.agreement:.2f}",
            flush=True,
        )
    for side, scans in sides.items():
        for name in NETWORKS if scans else ():
            volumes = [getattr(one, name) for one in scans]
            print(
                f"{side}: {len(scans)} scans, {name}: median {np.median(volumes):.0f} mL, "
                f"{min(volumes):.0f} to {max(volumes):.0f} mL"
            )
        print(f"{side}: {sum(one.flagged for one in scans)} of {len(scans)} would be flagged")
    return 0


if __name__ == "__main__":
    sys.exit(main())
