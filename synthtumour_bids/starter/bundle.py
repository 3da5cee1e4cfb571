"""What is said of a starter, and its bundle."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

from synthtumour_bids.files import TEMPORARY_PREFIX, fingerprint
from synthtumour_bids.segmentation.bundle import ICBM_NOTICE, NOT_MEASURED, About, Figure
from synthtumour_bids.segmentation.bundle_writing import bundle_name, write_bundle
from synthtumour_bids.segmentation.calibration import Calibration
from synthtumour_bids.segmentation.curve import read_curve
from synthtumour_bids.segmentation.model_card import (
    Model,
    ModelCard,
    weights_fingerprint,
)
from synthtumour_bids.segmentation.presence import Controls
from synthtumour_bids.settings import STARTER
from synthtumour_bids.starter.recipe import RESOLUTION, StarterRecipe
from synthtumour_bids.starter.train import Trained
from synthtumour_bids.versions import versions

DATA = (
    "It was trained on simulated heads alone, made of the ICBM 152 tissue maps: no scan of any "
    "person and no annotation. The ranges that heads and tumours are drawn from were set by people "
    "who had looked at public scans of real-world gliomas and of tumour-free heads, and knew the "
    "scores that earlier networks reached on them."
)
LIMITS = (
    "It marks the whole tumour on one contrast, and does not tell its parts.",
    "It may mark confluent hyperintensities, what skull stripping left, and other lesions.",
    "Children, operated brains and images of low quality were not simulated.",
)
INTENDED_USE = (
    "Research on groups of scans, whose masks somebody looks at. Not a medical device: not for "
    "diagnosis, and not for the treatment of a single patient."
)


def bundle_starter(
    trained: Trained,
    recipe: StarterRecipe,
    folder: Path,
    version: str,
    controls: Controls | None = None,
    calibration: Calibration | None = None,
) -> Path:
    """Write the card of a trained starter, and its bundle, anew.

    Parameters
    ----------
    trained
        What :func:`.train.train_starter` made.
    recipe
        How.
    folder
        Gets the bundle in a folder of its name.
    version
        Of the bundle: numbers with points between them.
    controls
        What :func:`.calibration.calibrate_starter` found.
    calibration
        What :func:`.known_tumours.calibration_by_tumours` found.

    Returns
    -------
    Path
        Folder of the bundle.
    """
    curve = read_curve(trained.folder)
    card = ModelCard(
        name=STARTER,
        fingerprint=weights_fingerprint(trained.folder),
        recipe=fingerprint(recipe=asdict(recipe), draw=trained.draw_fingerprint),
        method="synthtumour",
        preset="default",
        contrast=recipe.contrast,
        lesion=recipe.lesion,
        profile="fast",
        resolution=RESOLUTION,
        seed=recipe.seed,
        training=asdict(recipe.training),
        best_epoch=curve.best_epoch,
        stopped_early=curve.stopped_early,
        training_seconds=round(curve.seconds, 1),
        versions=versions(),
        calibration=calibration,
    )
    card.write(trained.folder)
    command = (
        f"synthtumour-starter train OUT --lesion {recipe.lesion} --contrast {recipe.contrast} "
        f"--seed {recipe.seed} --steps {recipe.steps} --bundle-version {version}"
    )
    about = About(
        version=version,
        data=DATA,
        notices=(ICBM_NOTICE,),
        figures=(
            Figure(
                "Mean Dice on simulated heads, shifted tumours and tumour-free ones",
                f"{curve.best_dice:.3f}",
                command,
            ),
        ),
        limits=(NOT_MEASURED, *LIMITS),  # until somebody has
        intended_use=INTENDED_USE,
    )
    bundle = folder / bundle_name(card, version)
    # Beside the one that is there, which may be in use until the new one is whole.
    new, old = (
        bundle.with_name(f"{TEMPORARY_PREFIX}{word}-{bundle.name}") for word in ("new", "old")
    )
    shutil.rmtree(new, ignore_errors=True)
    write_bundle(Model(STARTER, trained.folder), new, about, controls)
    shutil.rmtree(old, ignore_errors=True)
    if bundle.exists():
        bundle.rename(old)
    new.rename(bundle)
    shutil.rmtree(old, ignore_errors=True)
    return bundle
