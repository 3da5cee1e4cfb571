"""What the heads and cases of a folder were made for: no other starter may learn from them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from synthtumour_bids.errors import UsageError
from synthtumour_bids.files import fingerprint, write_once
from synthtumour_bids.simulation.head import SIMULATION_VERSION
from synthtumour_bids.starter import samples
from synthtumour_bids.starter.heads import Tissues, are_of, head_paths, heads_folder
from synthtumour_bids.starter.recipe import CALIBRATION, RESOLUTION, StarterRecipe
from synthtumour_bids.synthesis.priors import load_priors

STAMP = "recipe.json"


def claim(recipe: StarterRecipe, folder: Path, tissues: Tissues) -> None:
    """Write down what the files of a folder are for, or go by what stands there.

    Parameters
    ----------
    recipe
        Of the starter.
    folder
        Of everything; it need not be there. Where an earlier version has begun it, which wrote
        nothing down, the first and the last of its heads and cases are made again.
    tissues
        Of the standard brain.

    Raises
    ------
    UsageError
        When the files are for another starter.
    """
    wanted = _stamp(recipe)
    path = folder / STAMP
    way_out = "Name another folder, or go on with the --lesion, --contrast and --seed it has."
    if not path.is_file() and not _are_of(recipe, folder, tissues):
        raise UsageError(
            f"{folder} has heads or samples that are not those of a starter for {_words(wanted)}. "
            f"{way_out}"
        )
    try:
        found = json.loads(write_once(path, json.dumps(wanted, indent=2) + "\n"))
        words = _words(found)
    except (ValueError, LookupError, TypeError) as error:
        msg = f"{path}, which tells what the folder is for, cannot be read ({error}). {way_out}"
        raise UsageError(msg) from error
    if found != wanted:
        # What another version wrote may have more entries.
        others = ", ".join(key for key in {**wanted, **found} if found.get(key) != wanted.get(key))
        raise UsageError(
            f"{folder} has heads and samples of a starter for {words}; this command asks for "
            f"{_words(wanted)} ({others}: not the same). {way_out}"
        )


def _stamp(recipe: StarterRecipe) -> dict[str, Any]:
    """All that heads and cases depend on; they are named by their number alone."""
    return {
        "lesion": recipe.lesion,
        "contrast": recipe.contrast,
        "seed": recipe.seed,
        "heads": recipe.n_heads,
        "validation heads": recipe.n_validation_heads,
        "simulation": SIMULATION_VERSION,
        "samples": samples.VERSION,
        "priors": fingerprint(priors=asdict(load_priors(recipe.lesion, recipe.contrast))),
    }


def _words(stamp: dict[str, Any]) -> str:
    return f"{stamp['lesion']} in {stamp['contrast']} images with seed {stamp['seed']}"


def _are_of(recipe: StarterRecipe, folder: Path, tissues: Tissues) -> bool:
    place = heads_folder(folder)
    counts = {
        "train": recipe.n_heads,
        "validation": recipe.n_validation_heads,
        CALIBRATION: recipe.n_calibration,
    }
    if not all(
        are_of(
            place,
            count,
            seed=recipe.seed,
            purpose=purpose,
            resolution=RESOLUTION,
            contrast=recipe.contrast,
        )
        for purpose, count in counts.items()
    ):
        return False
    heads, validation_heads = (
        head_paths(place, purpose, counts[purpose]) for purpose in ("train", "validation")
    )
    return samples.cases_are_of(recipe, heads, validation_heads, tissues, folder / "cases")
