"""What it brings that masks hold what they enclose, and how much depends on how it is done.

Of finished runs, the senior's masks on each scan's own grid: what the network marked itself, with
closed cavities, and with the voxels from which it is seen in at least such a share of directions,
without fluid and with it.

    export SYNTHTUMOUR_COHORT=/data/cohort
    python benchmarks/cohort.py run OUT --profile fast
    python benchmarks/enclosure.py OUT [OUT ...]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from cohort import cohort_folder, held_out, load, truths
from scipy import ndimage

from synthtumour_bids.preprocessing.registration import carry_to_native
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.enclosure import add_enclosed, enclosed
from synthtumour_bids.synthesis.geometry import Mask, dice
from synthtumour_bids.volumes import load_nifti, load_volume

SHARES = (0.9, 0.85, 0.8, 0.75, 0.7)
FLUID = "0.8, and fluid"
WAYS = ("closed cavities", *map(str, SHARES), FLUID)


def masks(anat: Path, stem: str) -> list[Mask]:
    """One a way, on the scan's own grid; what is enclosed is sought on the template grid."""
    written = load(anat / f"{stem}_label-L_mask.nii.gz") > 0
    brain = load(anat / f"{stem}_desc-brain_mask.nii.gz") > 0
    own = written & (load(anat / f"{stem}_label-L_probseg.nii.gz") >= 0.5)
    own = ndimage.binary_fill_holes(own) & brain
    there = f"{stem}_space-MNI152NLin2009aSym_res-2"
    image = load_volume(anat / f"{there}_desc-preproc_FLAIR.nii.gz")
    scan = Brain(
        image.data, load_volume(anat / f"{there}_desc-brain_mask.nii.gz").mask, image.spacing
    )
    marked = load_volume(anat / f"{there}_label-L_mask.nii.gz").mask
    marked &= load_volume(anat / f"{there}_label-L_probseg.nii.gz").data >= 0.5
    marked = ndimage.binary_fill_holes(marked) & scan.mask
    transform = anat / f"{stem}_from-FLAIR_to-MNI152NLin2009aSym_mode-image_xfm.mat"
    reference = load_nifti(anat / f"{stem}_desc-preproc_FLAIR.nii.gz")
    wholes = [add_enclosed(marked, scan, share) for share in SHARES]
    wholes.append(marked | enclosed(marked, 0.8) & scan.mask)
    found = [own]
    for whole in wholes:
        added = image.with_data((whole & ~marked).astype(np.float32))
        found.append(own | (carry_to_native(added, transform, reference) >= 0.5) & brain)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, nargs="+")
    held = held_out(cohort_folder())
    for out in parser.parse_args().out:
        scores: dict[str, list[float]] = {}
        for label, path in truths(cohort_folder()).items():
            anat, truth = out / "derivatives" / f"sub-{label}" / "anat", load(path) > 0
            scores[label] = [dice(mask, truth) for mask in masks(anat, f"sub-{label}")]
        table = np.array(list(scores.values()))
        blind = np.mean([scores[label] for label in held], axis=0)
        gained = table - table[:, :1]
        print(f"{out.name}: all {len(scores)}, held out, the largest loss and gain of a scan")
        for number, way in enumerate(WAYS):
            one = gained[:, number]
            print(
                f"  {way}: {table[:, number].mean():.3f} {blind[number]:.3f} "
                f"{one.min():+.3f} {one.max():+.3f}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
