"""Starters know what to expect of their masks, by tumours drawn into heads they never saw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.segmentation.presence import Controls
from synthtumour_bids.segmentation.presence_file import read_controls
from synthtumour_bids.segmentation.starters import SHIPPED, read_starter
from synthtumour_bids.starter.known_tumours import (
    ORIGIN,
    Drawn,
    answer_of,
    calibration_by_tumours,
)
from synthtumour_bids.starter.recipe import CALIBRATION, StarterRecipe
from synthtumour_bids.volumes import load_volume


def test_a_starter_is_asked_about_a_tumour_in_each_head(tmp_path: Path) -> None:
    recipe = replace(StarterRecipe(), n_calibration=1, seed=1)
    bundle = SHIPPED / "starter-flair-2mm-0.1"
    controls = read_controls(bundle, read_starter(bundle).card)
    assert controls is not None
    first, again = (
        calibration_by_tumours(bundle, recipe, tmp_path, controls, device="cpu", nprocs=1)
        for _ in range(2)
    )
    assert first is not None
    assert first == again
    assert (first.cases, first.origin) == (1, ORIGIN)
    assert (first.temperature, first.after) == (1, first.before), "its maps stay as they are"
    assert first.expected_dice is None, "one mask makes no line"
    folder = tmp_path / CALIBRATION / "tumours"
    image, label = (folder / f"calibration-0000_FLAIR{end}.nii" for end in ("", "_label"))
    prediction = folder / "probseg" / "calibration-0000.nii.gz"
    drawn = Drawn("calibration-0000", image, label, prediction, recipe, controls)
    found = answer_of(drawn)
    assert found.dice > 0.5, "it does see the tumour"
    assert found.sure is not None
    assert 0 < found.sure < 1
    everybody = Controls("people like that", dict.fromkeys(controls.likeness, 1e5))
    assert answer_of(replace(drawn, controls=everybody)).sure is None, "absent, by the verdict"
    scan, drawn_in = load_volume(image), load_volume(label).mask
    black = np.where(ndimage.binary_erosion(drawn_in, iterations=2), 0, scan.data)
    write_image(image, scan.with_data(black.astype(np.float32)), {})
    darker = answer_of(drawn)
    assert np.array_equal(darker.labels, found.labels), "a black tumour lies in the brain"


@pytest.mark.parametrize("bundle", sorted(SHIPPED.glob("starter-*")), ids=lambda path: path.name)
def test_what_is_shipped_tells_it(bundle: Path) -> None:
    calibration = read_starter(bundle).card.calibration
    assert calibration is not None
    assert (calibration.cases, calibration.origin) == (StarterRecipe().n_calibration, ORIGIN)
    line = calibration.expected_dice
    assert line is not None
    assert line.sure > 0, "the surer the better"
    assert calibration.temperature == 1
