"""How near a run's figures of place come to what is known of the demo's heads.

A demo head is the template's, bent: for each of its voxels it is known which place of the template
it is. The true masks are measured as a run measures its own, by the transforms of that run; so this
is the error of registration and measures, without that of the segmentation. No affine transform
can undo the bending; what the best one leaves, found from the known places of the whole brain, is
told, too. So is what the measures err by where the known places stand for a transform.

    synthtumour-demo DEMO
    python benchmarks/location.py DEMO DEMO/segmentations

With the output of a run that has bent the brains (``--output-spaces MNI152NLin2009aSym``), places
are carried by its deformable transforms. Participants that are not there are left out.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from scipy import ndimage

from synthtumour_bids.demo.acquisition import fine_grid
from synthtumour_bids.demo.head import sample_person
from synthtumour_bids.demo.subjects import Subject, draw_subjects
from synthtumour_bids.preprocessing.points import Carrier, affine_carrier, deformable_carrier
from synthtumour_bids.settings import TEMPLATE, Role
from synthtumour_bids.simulation.head import sample_folds
from synthtumour_bids.simulation.subject import build_anatomy
from synthtumour_bids.steps.locations import measure_location
from synthtumour_bids.volumes import Volume, load_volume

EVERY = 37  # voxel of the brain has a say in the best affine transform


def known_carrier(subject: Subject) -> Carrier:
    """Carries points of a scan to their places in the template, as the head was made from them."""
    rng = np.random.default_rng(subject.seed)
    shape, affine = fine_grid(subject.acquisition, subject.resolution)
    variation = sample_person(rng, subject.age)
    anatomy = build_anatomy(shape, affine, variation, sample_folds(rng, subject.age), rng)

    def carry(points: np.ndarray) -> np.ndarray:
        indices = nib.affines.apply_affine(np.linalg.inv(affine), points).T
        return np.array([ndimage.map_coordinates(one, indices, order=1) for one in anatomy.mni]).T

    return carry


def carrier(stem: Path) -> Carrier | None:
    """The transform that a run carries places by; ``None`` where it has none."""
    bent = stem.with_name(f"{stem.name}_desc-deformable_from-{TEMPLATE}_to-FLAIR_mode-image_xfm.h5")
    affine = stem.with_name(f"{stem.name}_from-FLAIR_to-{TEMPLATE}_mode-image_xfm.mat")
    if bent.is_file():
        return deformable_carrier(bent)
    return affine_carrier(affine) if affine.is_file() else None


def points_of(mask: Volume) -> np.ndarray:
    points: np.ndarray = nib.affines.apply_affine(mask.affine, np.argwhere(mask.mask))
    return points


def best_affine(points: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The affine matrix that carries points nearest to their places, (4, 3)."""
    matrix: np.ndarray = np.linalg.lstsq(np.c_[points, np.ones(len(points))], places)[0]
    return matrix


def measured(
    mask: Volume, brain: Volume, to_template: Carrier, centre: np.ndarray
) -> tuple[dict[str, Any], float]:
    """What a run tells of a mask's place, and how far its centre is from the known one, mm."""
    place = measure_location(mask, brain, to_template, "", None)["Location"]
    found = np.array([place[f"centre_{axis}_mm"] for axis in "xyz"])
    return place, float(np.linalg.norm(found - centre))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("demo", type=Path)
    parser.add_argument("output_dir", type=Path)
    options = parser.parse_args()
    demo = options.demo
    made = json.loads((demo / "cohort.json").read_text())
    subjects = draw_subjects(
        made["TumourFree"], made["Tumour"], made["Resolution"], made["Seed"], n_followed=0, n_t1w=0
    )
    errors, least, exact, sides = [], [], [], 0
    patients = [subject for subject in subjects if subject.role is Role.TUMOUR]
    for subject in patients:
        anat = Path(f"sub-{subject.label}") / "anat" / f"sub-{subject.label}"
        truth, brain = (
            load_volume(demo / "truth" / f"{anat}_{kind}_mask.nii.gz")
            for kind in ("label-L", "desc-brain")
        )
        to_template = carrier(options.output_dir / anat)
        if to_template is None:
            continue
        known = known_carrier(subject)
        centre = known(points_of(truth)).mean(axis=0)
        place, error = measured(truth, brain, to_template, centre)
        errors.append(error)
        exact.append(measured(truth, brain, known, centre)[1])
        sample = points_of(brain)[::EVERY]
        best = np.append(points_of(truth).mean(axis=0), 1) @ best_affine(sample, known(sample))
        least.append(float(np.linalg.norm(best - centre)))
        sides += place["side"] in ("both", "left" if centre[0] < 0 else "right")
        print(
            f"sub-{subject.label} ({'/'.join(nib.aff2axcodes(truth.affine))}): known "
            f"{np.round(centre, 1)} mm, measured {errors[-1]:.1f} mm off (the best affine "
            f"transform: {least[-1]:.1f}, the known places: {exact[-1]:.2f}), {place['side']}"
        )
    print(
        f"{len(errors)} heads: centres {np.mean(errors):.1f} mm off, at most {max(errors):.1f} "
        f"(the best affine transforms: {np.mean(least):.1f}, the known places: "
        f"{max(exact):.2f} at most); {sides} sides right"
    )


if __name__ == "__main__":
    main()
