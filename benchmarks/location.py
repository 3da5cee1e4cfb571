"""How near a run's figures of place come to what is known of the demo's heads.

A demo head is the template's, bent: for each of its voxels it is known which place of the template
it is. The true masks are measured as a run measures its own, by the transforms of that run; so this
is the error of registration and measures, without that of the segmentation.

    synthtumour-demo DEMO
    python benchmarks/location.py DEMO
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from synthtumour_bids.demo.acquisition import fine_grid
from synthtumour_bids.demo.head import sample_person
from synthtumour_bids.demo.subjects import Subject, draw_subjects
from synthtumour_bids.preprocessing.points import affine_carrier
from synthtumour_bids.settings import TEMPLATE, Role
from synthtumour_bids.simulation.head import sample_folds
from synthtumour_bids.simulation.subject import build_anatomy
from synthtumour_bids.steps.locations import AFFINE, measure_location
from synthtumour_bids.volumes import Volume, load_volume


def known_centre(subject: Subject, truth: Volume) -> np.ndarray:
    """Centre of mass in the template, mm, by the places that the head was made from."""
    rng = np.random.default_rng(subject.seed)
    shape, affine = fine_grid(subject.acquisition, subject.resolution)
    variation = sample_person(rng, subject.age)
    anatomy = build_anatomy(shape, affine, variation, sample_folds(rng, subject.age), rng)
    to_grid = np.linalg.inv(affine) @ truth.affine
    indices = nib.affines.apply_affine(to_grid, np.argwhere(truth.mask)).T
    return np.array([ndimage.map_coordinates(one, indices, order=1).mean() for one in anatomy.mni])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("demo", type=Path)
    demo = parser.parse_args().demo
    made = json.loads((demo / "cohort.json").read_text())
    subjects = draw_subjects(
        made["TumourFree"], made["Tumour"], made["Resolution"], made["Seed"], n_followed=0, n_t1w=0
    )
    errors, sides = [], 0
    patients = [subject for subject in subjects if subject.role is Role.TUMOUR]
    for subject in patients:
        anat = Path(f"sub-{subject.label}") / "anat" / f"sub-{subject.label}"
        truth, brain = (
            load_volume(demo / "truth" / f"{anat}_{kind}_mask.nii.gz")
            for kind in ("label-L", "desc-brain")
        )
        transform = demo / "segmentations" / f"{anat}_from-FLAIR_to-{TEMPLATE}_mode-image_xfm.mat"
        place = measure_location(truth, brain, affine_carrier(transform), AFFINE, None)["Location"]
        centre = known_centre(subject, truth)
        error = np.array([place[f"centre_{axis}_mm"] for axis in "xyz"]) - centre
        errors.append(float(np.linalg.norm(error)))
        sides += place["side"] in ("both", "left" if centre[0] < 0 else "right")
        print(
            f"sub-{subject.label} ({'/'.join(nib.aff2axcodes(truth.affine))}): known "
            f"{np.round(centre, 1)} mm, measured {errors[-1]:.1f} mm off, {place['side']}"
        )
    print(
        f"{len(errors)} heads: centres {np.mean(errors):.1f} mm off, at most {max(errors):.1f}; "
        f"{sides} sides right"
    )


if __name__ == "__main__":
    main()
