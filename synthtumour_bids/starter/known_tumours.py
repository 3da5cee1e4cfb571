"""How far a starter's answers can be trusted, by tumours drawn into heads that it never saw."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.execution.pool import map_items
from synthtumour_bids.methods.calibration import Answer, brain_of, calibration_of, drawn_voxels
from synthtumour_bids.methods.comparison import Comparison
from synthtumour_bids.methods.judging import final_masks, judged
from synthtumour_bids.methods.label_free.recipes import RECIPES
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.segmentation.calibration import Calibration
from synthtumour_bids.segmentation.prediction import predict
from synthtumour_bids.segmentation.presence import NO, Controls
from synthtumour_bids.segmentation.uncertainty import sure_share
from synthtumour_bids.starter.calibration import unseen_heads
from synthtumour_bids.starter.heads import load_tissues, read_head
from synthtumour_bids.starter.recipe import CALIBRATION, RESOLUTION, StarterRecipe
from synthtumour_bids.synthesis.geometry import dice
from synthtumour_bids.synthesis.priors import load_priors
from synthtumour_bids.synthesis.seeds import stream
from synthtumour_bids.synthesis.stage_one import Sample, synthesise
from synthtumour_bids.volumes import load_volume, template_image

ORIGIN = "tumours drawn into simulated heads"
RECIPE = RECIPES["default"]


@dataclass(frozen=True)
class Drawn:
    """A head with a drawn tumour, and what the starter says of it.

    Attributes
    ----------
    name
        Of the head.
    image, label, prediction
        On the template grid.
    recipe
        Of the starter.
    controls
        What heads without a tumour look like to it.
    """

    name: str
    image: Path
    label: Path
    prediction: Path
    recipe: StarterRecipe
    controls: Controls


def calibration_by_tumours(
    model: Path,
    recipe: StarterRecipe,
    folder: Path,
    controls: Controls,
    *,
    device: str,
    nprocs: int,
) -> Calibration | None:
    """Tell how reliable a starter's probabilities are, and the Dice to be expected of its masks.

    The probabilities stay as they are: what temperature simulated heads ask for says little of
    scans.

    Each head that calibrates the verdict is drawn anew as those that teach are, most with a tumour.

    Parameters
    ----------
    model, recipe, folder, device, nprocs
        As for :func:`.calibration.likeness_of_heads`.
    controls
        What :func:`.calibration.calibrate_starter` found.

    Returns
    -------
    Calibration or None
        As :func:`.methods.calibration.calibration_of` gives it.

    Raises
    ------
    RuntimeError
        A head could not be segmented.
    """
    heads, there = unseen_heads(recipe, folder, nprocs), folder / CALIBRATION / "tumours"
    tissues, priors = load_tissues(RESOLUTION), load_priors(recipe.lesion, recipe.contrast)
    drawn = {}
    for index, head in enumerate(heads):
        rng = stream(recipe.seed, head.stem, index=index, purpose="known tumour")
        made = synthesise(rng, read_head(head, RESOLUTION, tissues), priors)
        drawn[head.stem] = _written(made, there / f"{head.stem}_{recipe.contrast}.nii")
    predictions = predict(
        model,
        {name: image for name, (image, _) in drawn.items()},
        there / "probseg",
        device=device,
        mirroring=True,
        nprocs=nprocs,
    )
    results = map_items(
        answer_of,
        [Drawn(name, *drawn[name], path, recipe, controls) for name, path in predictions.items()],
        nprocs=nprocs,
        label="Calibrating",
        describe=lambda one: one.name,
    )
    for result in results:
        if result.failed:
            raise RuntimeError(f"{result.item.name}: {result.error}")
    found = calibration_of([result.value for result in results if result.value], ORIGIN)
    return found and replace(found, temperature=1.0, after=found.before)


def answer_of(drawn: Drawn) -> Answer:
    """Tell what the starter makes of a drawn tumour, with all that is done to the masks of scans.

    Its mask has a say where there is a tumour, and the verdict does not call it absent: whether
    there is one at all is not what a Dice is expected for.
    """
    recipe = drawn.recipe
    image, label = load_volume(drawn.image), load_volume(drawn.label).mask
    brain = brain_of([image])
    comparison = Comparison.between(recipe.lesion, recipe.contrast)
    found = judged(drawn.prediction, drawn.image, brain, recipe.lesion, RECIPE.evidence, comparison)
    enclosed = RECIPE.enclosing(recipe.lesion, recipe.contrast)
    mask = final_masks(found, drawn.image, brain, recipe.lesion, enclosed)[1]
    probability = found.probability.data
    sure = sure_share(probability, mask)
    absent = not label.any() or _denied(drawn, found.likeness)
    voxels = drawn_voxels(brain, recipe.seed, drawn.name)
    return Answer(
        probability.ravel()[voxels],
        label.ravel()[voxels],
        None if absent else sure,
        dice(mask, label),
    )


def _denied(drawn: Drawn, likeness: float) -> bool:
    """Whether the verdict on a head, by the others, is that there is no tumour."""
    return drawn.controls.p_value(likeness, drawn.name)[0] > NO


def _written(made: Sample, image: Path) -> tuple[Path, Path]:
    """Write a sample; return the files of its image and its label."""
    affine, label = standard_brain(RESOLUTION).affine, image.with_name(f"{image.stem}_label.nii")
    write_image(image, template_image(made.image.astype(np.float32), affine), {})
    write_image(label, template_image(made.label.astype(np.uint8), affine), {})
    return image, label
