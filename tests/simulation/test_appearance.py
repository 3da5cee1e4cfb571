"""Contrasts that heads are simulated in: what is bright and what is dark in each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.settings import CONTRASTS
from synthtumour_bids.simulation.appearance import APPEARANCES
from synthtumour_bids.simulation.contrast import brain_signal
from synthtumour_bids.simulation.head import sample
from synthtumour_bids.simulation.hyperintensities import add_hyperintensities
from synthtumour_bids.simulation.subject import build_anatomy

GRID = standard_brain(4.0)


def test_heads_can_be_drawn_in_all_contrasts() -> None:
    assert set(APPEARANCES) == set(CONTRASTS)


@pytest.mark.parametrize(
    ("contrast", "order"),
    [
        ("FLAIR", ("csf", "wm")),
        ("T2w", ("wm", "gm", "csf")),
        ("T1w", ("csf", "gm", "wm")),
        ("DWI", ("csf", "wm")),
    ],
)
def test_tissues_are_as_bright_as_the_contrast_shows_them(
    contrast: str, order: tuple[str, ...]
) -> None:
    params = sample(np.random.default_rng(8), APPEARANCES[contrast])
    rng = np.random.default_rng(params.textures)
    anatomy = build_anatomy(GRID.shape, GRID.affine, params.variation, params.folds, rng)
    signal = brain_signal(anatomy, params.signals, rng)
    seen = [float(np.median(signal[getattr(anatomy, tissue) > 0.9])) for tissue in order]
    assert seen == sorted(seen)
    assert seen[0] < 0.97 * seen[-1]
    spots = replace(params.hyperintensities, burden=1.0, band=10.0, frontal=12.0, occipital=16.0)
    changed = add_hyperintensities(signal, anatomy, spots, rng) - signal
    sign = -1 if APPEARANCES[contrast].dark_lesions else 1
    assert (sign * changed).max() > 0.02
    assert (sign * changed).min() > -1e-3
    assert APPEARANCES[contrast].dark_lesions == (contrast == "T1w")
