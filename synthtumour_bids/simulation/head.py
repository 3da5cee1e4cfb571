"""A stripped, simulated head without tumour on the template grid: drawn, then rendered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthtumour_bids.simulation import ranges
from synthtumour_bids.simulation.appearance import FLAIR, Appearance
from synthtumour_bids.simulation.contrast import Signals, brain_signal, sample_signals
from synthtumour_bids.simulation.fluid import Fluid, add_fluid, sample_fluid
from synthtumour_bids.simulation.folds import Folds
from synthtumour_bids.simulation.hyperintensities import (
    Hyperintensities,
    add_hyperintensities,
    sample_hyperintensities,
)
from synthtumour_bids.simulation.scanner import Scanner, sample_scanner, scan
from synthtumour_bids.simulation.stripping import Stripping, sample_stripping, strip
from synthtumour_bids.simulation.subject import Variation, build_anatomy

SIMULATION_VERSION = "1"  # changes when the same numbers give other heads
OLD_SHARE = 0.6  # of heads; most of a clinic's are
LEAST = 1e-3  # inside the brain of a host, where 0 means outside


@dataclass(frozen=True)
class HeadParams:
    """Everything that one head is made from.

    Attributes
    ----------
    age
        0 young to 1 very old.
    variation, folds
        Its anatomy.
    signals, fluid, hyperintensities
        Its contrast.
    stripping, scanner
        What became of it.
    textures
        Seed of the random fields.
    """

    age: float
    variation: Variation
    folds: Folds
    signals: Signals
    fluid: Fluid
    hyperintensities: Hyperintensities
    stripping: Stripping
    scanner: Scanner
    textures: int


@dataclass(frozen=True)
class StrippedHead:
    """A brain on the template grid: float32 ``image`` and bool ``mask``, (X, Y, Z)."""

    image: np.ndarray
    mask: np.ndarray

    @property
    def host(self) -> np.ndarray:
        """The image as networks and tumours are given it: 0 outside the brain, nowhere in it."""
        return np.where(self.mask, np.maximum(self.image, LEAST), 0).astype(np.float32)


def sample(rng: np.random.Generator, appearance: Appearance = FLAIR) -> HeadParams:
    """Draw one head, as a contrast shows it."""
    old = rng.random() < OLD_SHARE
    age = float(rng.uniform(0.5, 1.0) if old else rng.uniform(0.0, 0.5))
    return HeadParams(
        age=age,
        variation=sample_residual(rng, age),
        folds=sample_folds(rng, age),
        signals=sample_signals(rng, age, appearance),
        fluid=sample_fluid(rng, appearance),
        hyperintensities=sample_hyperintensities(rng, age, appearance),
        stripping=sample_stripping(rng, appearance),
        scanner=sample_scanner(rng),
        textures=int(rng.integers(2**63)),
    )


def render(params: HeadParams, shape: tuple[int, int, int], affine: np.ndarray) -> StrippedHead:
    """Make the head; the same parameters give the same bytes.

    Parameters
    ----------
    params
        What was drawn.
    shape, affine
        The template grid, isotropic, RAS, mm.

    Returns
    -------
    StrippedHead
    """
    rng = np.random.default_rng(params.textures)
    anatomy = build_anatomy(shape, affine, params.variation, params.folds, rng)
    signal = brain_signal(anatomy, params.signals, rng)
    signal = add_hyperintensities(signal, anatomy, params.hyperintensities, rng)
    signal = add_fluid(signal, anatomy, params.fluid, rng)
    signal, mask = strip(signal, anatomy, params.stripping, rng)
    image = scan(signal, anatomy.spacing, params.scanner, rng)
    return StrippedHead(np.where(mask, image, 0).astype(np.float32), mask)


def sample_residual(rng: np.random.Generator, age: float) -> Variation:
    """Draw how a registered head differs from the average one."""
    crooked = rng.random() < ranges.CROOKED_SHARE
    turn = ranges.CROOKED_ROTATION if crooked else ranges.RESIDUAL_ROTATION
    x, y, z = rng.normal(1, ranges.RESIDUAL_SCALE, 3).tolist()
    pitch, roll, yaw = rng.normal(0, turn, 3).tolist()
    right, front, top = rng.normal(0, ranges.RESIDUAL_SHIFT, 3).tolist()
    return Variation(
        scale=(x, y, z),
        rotation=(pitch, roll, yaw),
        shift=(right, front, top),
        bend=(ranges.BEND_COARSE.draw(rng), ranges.BEND_FINE.draw(rng)),
        ventricles=float(rng.uniform(-2, 1) + age**1.5 * rng.uniform(0, 11)),
        atrophy=float(rng.uniform(0.7, 1.2) + 1.5 * age * rng.random()),
    )


def sample_folds(rng: np.random.Generator, age: float) -> Folds:
    """Draw how a cortex of this age, in [0, 1], is folded."""
    return Folds(
        spacing=ranges.FOLD_SPACING.draw(rng),
        depth=(ranges.FOLD_DEPTH.draw(rng), ranges.FOLD_DEPTH_SPREAD.draw(rng)),
        width=float(rng.normal(-0.6 + 3.2 * age, 0.6)),
        thickness=ranges.CORTEX.draw(rng),
        recess=float(np.clip(rng.normal(0.4 + 1.6 * age, 0.5), 0, 4)),
    )
