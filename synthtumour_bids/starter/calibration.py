"""What simulated heads without a tumour look like to a starter that never saw them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.execution.pool import map_items
from synthtumour_bids.methods.comparison import Comparison
from synthtumour_bids.methods.control_heads import SOURCE
from synthtumour_bids.methods.judging import Seen, likeness_of
from synthtumour_bids.methods.label_free.recipes import RECIPES
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.segmentation.prediction import predict
from synthtumour_bids.segmentation.presence import Controls
from synthtumour_bids.starter.heads import heads_folder, render_heads
from synthtumour_bids.starter.recipe import CALIBRATION, RESOLUTION, StarterRecipe
from synthtumour_bids.volumes import template_image


def calibrate_starter(
    model: Path, recipe: StarterRecipe, folder: Path, *, device: str, nprocs: int
) -> Controls:
    """Calibrate a starter by heads that neither taught nor selected it; see `likeness_of_heads`."""
    found = likeness_of_heads(model, recipe, folder, device=device, nprocs=nprocs)
    return Controls(SOURCE, found)


def likeness_of_heads(
    model: Path, recipe: StarterRecipe, folder: Path, *, device: str, nprocs: int
) -> dict[str, float]:
    """Segment simulated heads without a tumour as runs segment scans.

    Parameters
    ----------
    model
        Folder of the trained network.
    recipe
        How it was made, and how many heads there are.
    folder
        Gets the heads beside those of the training, and ``calibration``.
    device
        See :func:`.environment.resolve_device`.
    nprocs
        Processor cores to use.

    Returns
    -------
    How much like a tumour each is, by its name, mL · SD.

    Raises
    ------
    SynthTumourError
        A head could not be segmented.
    """
    heads = unseen_heads(recipe, folder, nprocs)
    images = {head.stem: _image(head, folder / CALIBRATION, recipe.contrast) for head in heads}
    predictions = predict(
        model,
        images,
        folder / CALIBRATION / "probseg",
        device=device,
        mirroring=True,
        nprocs=nprocs,
    )
    comparison = Comparison.between(recipe.lesion, recipe.contrast)
    evidence = RECIPES["default"].evidence
    results = map_items(
        likeness_of,
        [
            Seen(path, images[name], None, recipe.lesion, evidence, comparison)
            for name, path in predictions.items()
        ],
        nprocs=nprocs,
        label="Calibrating",
        describe=lambda seen: seen.image.name,
    )
    for result in results:
        if result.failed:
            raise RuntimeError(f"{result.item.image.name}: {result.error}")
    return {name: result.value or 0.0 for name, result in zip(images, results, strict=True)}


def unseen_heads(recipe: StarterRecipe, folder: Path, nprocs: int) -> list[Path]:
    """Render the heads that calibrate a starter, in the folder of its training."""
    return render_heads(
        heads_folder(folder),
        recipe.n_calibration,
        seed=recipe.seed,
        purpose=CALIBRATION,
        resolution=RESOLUTION,
        contrast=recipe.contrast,
        nprocs=nprocs,
    )


def _image(head: Path, folder: Path, contrast: str) -> Path:
    """Write a head as an image, as networks read them."""
    path = folder / f"{head.stem}_{contrast}.nii"
    values = np.load(head).astype(np.float32)
    write_image(path, template_image(values, standard_brain(RESOLUTION).affine), {})
    return path
