"""How are scans with thick slices segmented, and does it matter how masks are put on their grid?

The cohort's scans with truth whose voxels are 1 mm are given thick slices, each the mean of as many
thin ones, and segmented with a finished model. Their truth is what holds at least half of a voxel.
Beside the masks that the app writes, which hold the voxels at whose centre the map from the
template reaches .5, others are made of the same map: of its mean over the thickness of each slice;
of the map refined by the scan once more, on the scan's own grid; and of both.

    export SYNTHTUMOUR_COHORT=/data/cohort
    python benchmarks/thick_slices.py OUT MODEL --thickness 1 3 5 --profile fast
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from cohort import cohort_folder, load, truths

from synthtumour_bids.files import write_json
from synthtumour_bids.preprocessing.registration import carry_to_native
from synthtumour_bids.synthesis.borders import refine_borders
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.geometry import Mask, dice
from synthtumour_bids.volumes import load_nifti, load_volume

WAYS = (
    "as written",
    "map at the centres",
    "mean over the slice",
    "refined on the own grid",
    "both",
)


def thickened(path: Path, thickness: int) -> nib.Nifti1Image:
    """An image with slices of so many millimetres, along the axis nearest to feet and head."""
    image = nib.as_closest_canonical(nib.load(path))
    values = image.get_fdata(dtype=np.float32)
    values = values[..., : values.shape[2] // thickness * thickness]
    means = values.reshape(*values.shape[:2], -1, thickness).mean(axis=3)
    affine = image.affine @ nib.affines.from_matvec(
        np.diag([1, 1, thickness]), [0, 0, (thickness - 1) / 2]
    )
    return nib.Nifti1Image(means, affine)


def write_dataset(folder: Path, thickness: int) -> list[str]:
    """Write the scans as a BIDS dataset, and their truth beside it; return their labels."""
    labels = []
    for label, truth in truths(cohort_folder()).items():
        scan = next((cohort_folder() / "glioma" / f"sub-{label}" / "anat").glob("*_FLAIR.nii.gz"))
        if not np.allclose(nib.affines.voxel_sizes(nib.load(scan).affine), 1, atol=0.01):
            continue
        anat = folder / "raw" / f"sub-{label}" / "anat"
        anat.mkdir(parents=True, exist_ok=True)
        nib.save(thickened(scan, thickness), anat / scan.name)
        share = thickened(truth, thickness)
        marked = (share.get_fdata() >= 0.5).astype(np.uint8)
        nib.save(nib.Nifti1Image(marked, share.affine), folder / f"{label}.nii.gz")
        labels.append(label)
    facts = {"Name": f"Slices of {thickness} mm", "BIDSVersion": "1.10.0"}
    write_json(folder / "raw" / "dataset_description.json", facts)
    return labels


def masks(anat: Path, label: str, thickness: int) -> list[Mask]:
    """Masks on the scan's grid, one a way; all but the first are of the same map."""
    stem = f"sub-{label}"
    there = anat / f"{stem}_space-MNI152NLin2009aSym_res-2_label-L_mask.nii.gz"
    marked = load_volume(there)
    said = load_volume(there.with_name(there.name.replace("_mask", "_probseg"))).data
    own = marked.data > 0
    # What was dropped is gone, and what a mask encloses belongs to it.
    held = marked.with_data(np.where(own, np.maximum(said, 0.5), np.minimum(said, 0.49)))
    transform = anat / f"{stem}_from-FLAIR_to-MNI152NLin2009aSym_mode-image_xfm.mat"
    image = load_nifti(anat / f"{stem}_desc-preproc_FLAIR.nii.gz")
    brain = load(anat / f"{stem}_desc-brain_mask.nii.gz") > 0
    scan = Brain(image.get_fdata(dtype=np.float32), brain, (1.0, 1.0, float(thickness)))
    centres = carry_to_native(held, transform, image)
    thin = nib.affines.from_matvec(np.diag([1, 1, 1 / thickness]), [0, 0, (1 / thickness - 1) / 2])
    fine = np.zeros((*image.shape[:2], image.shape[2] * thickness), np.uint8)
    grid = nib.Nifti1Image(fine, image.affine @ thin)
    means = carry_to_native(held, transform, grid)
    means = means.reshape(*image.shape, thickness).mean(axis=3)
    maps = [centres, means, refine_borders(centres, scan), refine_borders(means, scan)]
    written = load(anat / f"{stem}_label-L_mask.nii.gz") > 0
    return [written, *((values >= 0.5) & brain for values in maps)]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--thickness", type=int, nargs="+", default=(1, 3, 5), help="mm")
    options, more = parser.parse_known_args()  # the rest is the app's
    print(f"| slices, mm | scans | {' | '.join(WAYS)} |\n|---|---|{'---|' * len(WAYS)}")
    for thickness in options.thickness:
        folder = options.out.absolute() / f"{thickness}mm"
        labels, derivatives = write_dataset(folder, thickness), folder / "derivatives"
        command = [*(sys.executable, "-m", "synthtumour_bids"), str(folder / "raw")]
        command += [str(derivatives), "participant", "--model", str(options.model), *more]
        if (code := subprocess.call(command)) not in (0, 1):
            return code
        found = []
        for label in labels:
            truth = load(folder / f"{label}.nii.gz") > 0
            anat = derivatives / f"sub-{label}" / "anat"
            found.append([dice(mask, truth) for mask in masks(anat, label, thickness)])
        table = np.array(found)
        words = [f"{value:.3f}" for value in table.mean(axis=0)]
        print(f"| {thickness} | {len(labels)} | {' | '.join(words)} |", flush=True)
        for label, row in zip(labels, table, strict=True):
            print(label, *(f"{value:.3f}" for value in row), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
