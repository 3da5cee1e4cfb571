"""What a network learns in a short training: from priors to compare, or from annotations.

The network is that of profile ``fast``, trained for some epochs without any choice of epoch, on

* ``synthetic``: stage-1 samples of the priors or preset given, in the training hosts;
* ``annotated``: the scans with truth that are not held out: what annotations would give.

After each epoch it is scored on one fixed patch (128 x 160 x 128 mm) around the tumour of each
held-out scan. Printed is the mean Dice over the last epochs. Truth trains nothing but
``annotated`` and selects nothing; but whoever changes priors after reading these figures can
no longer call them a test.

    export SYNTHTUMOUR_COHORT=/data/cohort
    python benchmarks/cohort.py run OUT --profile fast         # its preprocessing is needed
    python benchmarks/learning.py synthetic OUT RESULTS [--priors FILE] [--preset reference]
    python benchmarks/learning.py annotated OUT RESULTS --epochs 30

RESULTS is a folder for this one training, which resumes in it.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from cohort import cohort_folder, held_out, truths
from fabrication_cohort import Member, on_grid

from synthtumour_bids.methods.label_free.recipes import RECIPES
from synthtumour_bids.preprocessing.templates import standard_tissues
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.segmentation.dataset import build_dataset
from synthtumour_bids.segmentation.training import train
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.hosts import samples_plan, split_hosts
from synthtumour_bids.synthesis.priors import Priors, load_priors
from synthtumour_bids.synthesis.seeds import stream
from synthtumour_bids.synthesis.stage_one import synthesise

PROFILE = PROFILES["fast"]
SEED = 527
LAST = 4  # epochs that the printed mean is over


def annotated(out: Path, folder: Path, labels: list[str], *, validation: bool) -> list[Case]:
    """Scans with their truth on the template grid."""
    masks = truths(cohort_folder())
    members = [
        on_grid(
            out / "derivatives" / f"sub-{label}" / "anat",
            folder / "scans",
            PROFILE.resolution,
            masks[label],
        )
        for label in labels
    ]
    return [
        Case(one.label, one.image, one.truth, validation=validation)
        for one in members
        if one.truth is not None
    ]


def synthetic(out: Path, folder: Path, priors: Priors, preset: str) -> list[Case]:
    """Draw stage-1 samples in those hosts that the app would train with."""
    found = sorted((out / "derivatives" / "derivatives" / "tumourfree").glob("sub-*"))
    persons = [(path.name, f"tumourfree/{path.name}") for path in found]
    training, _ = split_hosts(persons, seed=SEED)
    hosts = {
        path.name: on_grid(path / "anat", folder / "scans", PROFILE.resolution)
        for path in found
        if path.name in training
    }
    tissues = standard_tissues(PROFILE.resolution)
    (folder / "samples").mkdir(parents=True, exist_ok=True)
    return [
        draw(hosts[key], index, folder / "samples", priors, preset, tissues)
        for key, index in samples_plan(hosts, PROFILE.n_train)
    ]


def draw(
    host: Member,
    index: int,
    folder: Path,
    priors: Priors,
    preset: str,
    tissues: dict[str, np.ndarray],
) -> Case:
    name = f"{host.label}-{index:04d}"
    image, label = folder / f"{name}_image.nii", folder / f"{name}_label.nii"
    if not label.is_file():
        brain = Brain(
            host.voxels,
            host.mask,
            (PROFILE.resolution,) * 3,
            white_matter=tissues["wm"],
            placement=tissues["gm"] + tissues["wm"],
        )
        rng = stream(SEED, host.label, None, index=index, purpose="train")
        sample = synthesise(rng, brain, priors, sampler=RECIPES[preset].sampler)
        nib.save(nib.Nifti1Image(sample.image, host.affine), image)
        nib.save(nib.Nifti1Image(sample.label, host.affine), label)
    return Case(f"made-{name}", image, label, validation=False)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("synthetic", "annotated"))
    parser.add_argument("out", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--priors", type=Path)
    parser.add_argument("--preset", default="default", choices=tuple(RECIPES))
    options = parser.parse_args()
    held = held_out(cohort_folder())
    if options.what == "annotated":
        others = sorted(set(truths(cohort_folder())) - set(held))
        cases = annotated(options.out, options.results, others, validation=False)
    else:
        priors = load_priors("glioma", "FLAIR", options.priors)
        cases = synthetic(options.out, options.results, priors, options.preset)
    cases += annotated(options.out, options.results, held, validation=True)
    training = dataclasses.replace(
        PROFILE.junior, epochs=options.epochs, patience=options.epochs, min_epochs=options.epochs
    )
    prepared = build_dataset(
        cases,
        options.results / "nnunet",
        dataset_id=501,
        name="learning",
        training=training,
        n_processes=2,
    )
    curve = train(
        prepared,
        options.results / "model",
        training=training,
        device="cpu",
        seed=SEED,
        nprocs=2,
        progress=lambda *state: print(*state[:2], f"Dice {state[3]:.3f}", flush=True),
    )
    print(
        f"mean Dice on {len(held)} held-out scans, last {LAST} of {options.epochs} epochs: "
        f"{np.mean(curve.shifted_dice[-LAST:]):.3f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
