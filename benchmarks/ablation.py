"""What each ingredient does to a starter: short trainings that go on from the one that is shipped.

    export SYNTHTUMOUR_COHORT=/data/cohort            # as for cohort.py
    python benchmarks/starter.py PREPROCESSED BUNDLE
    python benchmarks/ablation.py OUT PREPROCESSED [--sets none cues mass-effect ...] [--steps 300]

``none`` trains on with samples as they were, so that the others can be told from more training
alone. Dice is on the template grid, masks are as the app makes them but for the verdict. A set
that is done is not done again: remove its ``figures.json`` to have it looked at by other rules.
Seeds, heads and rate of learning are the same for all sets.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import replace
from pathlib import Path

import ants
import numpy as np
from cohort import cohort_folder, dice, truths

import synthtumour_bids
from synthtumour_bids.files import write_json
from synthtumour_bids.ingredients.mix import CUES, DISTRACTORS, INGREDIENTS
from synthtumour_bids.methods.comparison import Comparison
from synthtumour_bids.methods.judging import judged
from synthtumour_bids.preprocessing import ants_images
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.segmentation.prediction import predict
from synthtumour_bids.segmentation.training import train
from synthtumour_bids.starter.recipe import RESOLUTION, StarterRecipe
from synthtumour_bids.starter.train import prepare
from synthtumour_bids.synthesis.borders import Evidence
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.enclosure import add_enclosed
from synthtumour_bids.synthesis.geometry import Mask
from synthtumour_bids.synthesis.pseudo_labels import assess, final_criteria
from synthtumour_bids.volumes import load_nifti, load_volume

SHIPPED = Path(synthtumour_bids.__file__).parent / "starters" / "starter-flair-2mm-0.1"
SETS = {
    "none": (),
    "all": INGREDIENTS,
    "cues": tuple(CUES),
    "distractors": tuple(DISTRACTORS),
    **{name: (name,) for name in INGREDIENTS},
}
SPACE = "space-MNI152NLin2009aSym_res-2"
ENCLOSED, RATE, LITTLE_ML = 0.8, 5e-4, 1.0
RECIPE = StarterRecipe(
    seed=3, n_heads=120, n_validation_heads=12, n_validation=8, n_negative=4, n_planning=4
)


def go_on(out: Path, name: str, steps: int, nprocs: int) -> Path:
    """Train the shipped starter on with a set of ingredients; return the model's folder."""
    training = replace(RECIPE.training_of(steps), learning_rate=RATE)
    recipe = replace(RECIPE, training=training, ingredients=SETS[name])
    material = prepare(recipe, out, nprocs=nprocs)
    model = out / f"{name}-{steps}" / "model"
    train(
        material.prepared,
        model,
        training=training,
        device="cpu",
        seed=recipe.seed,
        nprocs=nprocs,
        initial_weights=SHIPPED,
        draw=material.draw,
    )
    return model


def truth_on_template(anat: Path, stem: str, path: Path) -> Mask:
    """A manual mask on the template grid."""
    image = ants_images.image_to_ants(load_nifti(path))
    grid = ants_images.image_to_ants(standard_brain(RESOLUTION))
    transform = anat / f"{stem}_from-FLAIR_to-MNI152NLin2009aSym_mode-image_xfm.mat"
    moved = ants.apply_transforms(grid, image, [str(transform)], interpolator="linear")
    return np.asarray(moved.numpy() >= 0.5)


def mask_of(prediction: Path, image: Path, brain: Mask) -> Mask:
    """The mask that a prediction makes, after the comparison with the other side."""
    comparison = Comparison.between("glioma", "FLAIR")
    found = judged(prediction, image, brain, "glioma", Evidence(), comparison)
    grid = found.probability
    left = assess(
        found.without(grid.data), brain, grid.spacing, criteria=final_criteria("glioma")
    ).mask
    scan = Brain(load_volume(image).data, brain, grid.spacing)
    return add_enclosed(left, scan, ENCLOSED, found.territory)


def figures(model: Path, preprocessed: Path, scratch: Path, nprocs: int) -> dict[str, float]:
    """Mean and median Dice on gliomas, and what is marked where there is no tumour."""
    images = {
        path.name.split(f"_{SPACE}")[0]: path
        for dataset in ("glioma", "tumourfree")
        for path in (preprocessed / dataset).glob(f"sub-*/**/anat/*_{SPACE}_desc-preproc_FLAIR*gz")
    }
    known = {f"sub-{label}": path for label, path in truths(cohort_folder()).items()}
    scores, marked = [], []
    seen = predict(model, images, scratch, device="cpu", mirroring=True, nprocs=nprocs)
    for stem, prediction in seen.items():
        anat = images[stem].parent
        tumour = images[stem].is_relative_to(preprocessed / "glioma")
        if tumour and stem not in known:
            continue
        brain = load_volume(anat / f"{stem}_{SPACE}_desc-brain_mask.nii.gz").mask
        mask = mask_of(prediction, images[stem], brain)
        if tumour:
            scores.append(dice(mask, truth_on_template(anat, stem, known[stem])))
        else:
            marked.append(np.count_nonzero(mask) * RESOLUTION**3 / 1000)
    return {
        "gliomas": len(scores),
        "dice": statistics.mean(scores),
        "median": statistics.median(scores),
        "lowest": min(scores),
        "tumour_free": len(marked),
        "little": sum(bool(volume < LITTLE_ML) for volume in marked),
        "marked_ml": float(sum(marked)),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("preprocessed", type=Path, help="OUT of starter.py")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=tuple(SETS))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--nprocs", type=int, default=2)
    options = parser.parse_args()
    print("| ingredients | Dice | median | lowest | less than 1 mL in | mL in all |")
    print("|---|---|---|---|---|---|", flush=True)
    for name in ("shipped", *options.sets):
        told = options.out / f"{name}-{options.steps}" / "figures.json"
        if not told.is_file():
            model = SHIPPED
            if name != "shipped":
                model = go_on(options.out, name, options.steps, options.nprocs)
            scratch = told.with_name("seen")
            write_json(told, figures(model, options.preprocessed, scratch, options.nprocs))
        one = json.loads(told.read_text())
        print(
            f"| {name} | {one['dice']:.3f} | {one['median']:.3f} | {one['lowest']:.2f} | "
            f"{one['little']} of {one['tumour_free']} | {one['marked_ml']:.0f} |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
