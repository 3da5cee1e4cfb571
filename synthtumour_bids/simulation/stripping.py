"""What skull stripping leaves of the head around the brain, and what it takes of the brain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthtumour_bids.simulation import ranges
from synthtumour_bids.simulation.appearance import FLAIR, Appearance
from synthtumour_bids.simulation.fields import smooth_field, smooth_step
from synthtumour_bids.simulation.places import Point, ellipsoid
from synthtumour_bids.simulation.subject import Anatomy

ORBIT = ((27.0, 46.0, -36.0), (15.0, 24.0, 13.0))  # mm, MNI, |x|; radii
CUTS: tuple[tuple[Point, Point], ...] = (
    ((36.0, 12.0, -32.0), (18.0, 16.0, 16.0)),  # temporal pole
    ((20.0, -20.0, 76.0), (45.0, 50.0, 22.0)),  # vertex
    ((20.0, -66.0, -52.0), (40.0, 30.0, 18.0)),  # bottom of the cerebellum
    ((12.0, 52.0, -18.0), (30.0, 24.0, 14.0)),  # base of the frontal lobe
    ((0.0, -30.0, -62.0), (16.0, 20.0, 20.0)),  # brain stem
)
SHELLS: tuple[tuple[Point, Point], ...] = (
    ((20.0, -50.0, 66.0), (50.0, 50.0, 34.0)),  # vertex, behind
    ((62.0, -20.0, 10.0), (24.0, 60.0, 60.0)),  # side
    ((20.0, 60.0, 10.0), (40.0, 24.0, 40.0)),  # forehead
    ((30.0, -80.0, -30.0), (45.0, 30.0, 26.0)),  # neck
    ((26.0, 16.0, -40.0), (24.0, 22.0, 14.0)),  # skull base
)
LEFT, RIGHT, BOTH = -1, 1, 0


@dataclass(frozen=True)
class Piece:
    """Something left or taken: an index into its table, a side, mm of it, its signal."""

    kind: int
    side: int
    depth: float
    signal: float = 0.0


@dataclass(frozen=True)
class Stripping:
    """How a brain was stripped.

    Attributes
    ----------
    offset, waves
        mm of the mask beyond the brain; standard deviation of that over the surface.
    rind
        Signal of what lies just outside the brain.
    orbits, shells
        What is left of the eyes' fat, and of scalp, marrow and dura.
    cuts
        What is taken.
    """

    offset: float
    waves: float
    rind: float
    orbits: tuple[Piece, ...]
    shells: tuple[Piece, ...]
    cuts: tuple[Piece, ...]


def sample_stripping(rng: np.random.Generator, appearance: Appearance = FLAIR) -> Stripping:
    """Draw how a brain was stripped; most are stripped well."""

    def side() -> int:
        return int(rng.choice((LEFT, RIGHT, BOTH)))

    def has(share: float) -> bool:
        return bool(rng.random() < share)

    orbits, shells, cuts = [], [], []
    if has(ranges.REMNANT_SHARE):
        orbits.append(Piece(0, side(), float(rng.uniform(4, 22)), appearance.orbit.draw(rng)))
    if has(ranges.REMNANT_SHARE):
        for kind in rng.choice(len(SHELLS), int(rng.integers(1, 4)), replace=False):
            depth, signal = float(rng.uniform(2, 6)), appearance.shell.draw(rng)
            shells.append(Piece(int(kind), side(), depth, signal))
    if has(ranges.CUT_SHARE):
        kind = int(rng.integers(len(CUTS)))
        cuts.append(Piece(kind, side(), ranges.CUT_DEPTH.draw(rng)))
    return Stripping(
        offset=ranges.MASK_OFFSET.draw(rng),
        waves=ranges.MASK_WAVES.draw(rng),
        rind=appearance.rind.draw(rng),
        orbits=tuple(orbits),
        shells=tuple(shells),
        cuts=tuple(cuts),
    )


def strip(
    signal: np.ndarray, anatomy: Anatomy, params: Stripping, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Strip a brain as a tool would.

    Parameters
    ----------
    signal
        float32 (X, Y, Z), white matter 1, 0 outside the brain.
    anatomy
        The subject, on the same grid.
    params
        What is left and taken.
    rng
        Draws its surface.

    Returns
    -------
    signal, mask
        float32 and bool (X, Y, Z); the signal is 0 outside the mask.
    """
    shape, spacing = signal.shape, anatomy.spacing
    distance, mni = anatomy.brain_distance, anatomy.mni
    at = np.abs(mni[0]), mni[1], mni[2]
    waves = smooth_field(rng, shape, spacing, 35)
    mask = distance < params.offset + params.waves * waves
    clumps = smooth_field(rng, shape, spacing, 12)
    fine = smooth_field(rng, shape, spacing, 5)
    outside = params.rind * (1 + 0.3 * fine)
    for piece in params.shells:
        place = ellipsoid(at, *SHELLS[piece.kind]) * _on_side(mni[0], piece.side)
        left = (place * (1 + 0.5 * clumps) > 0.5) & (distance > 0) & (distance < piece.depth)
        mask |= left
        far = smooth_step(distance, 0.4, 2.5) * left
        outside = outside + (piece.signal * (1 + 0.25 * fine) - outside) * far
    for piece in params.orbits:
        place = ellipsoid(at, *ORBIT) * _on_side(mni[0], piece.side)
        left = (place * (1 + 0.3 * clumps) > 0.5) & (distance > 0) & (distance < piece.depth)
        mask |= left
        outside = outside + (piece.signal * (1 + 0.2 * fine) - outside) * left
    for piece in params.cuts:
        place = ellipsoid(at, *CUTS[piece.kind]) * _on_side(mni[0], piece.side)
        mask &= ~((place * (1 + 0.2 * clumps) > 0.4) & (distance > -piece.depth))
    whole = np.where(anatomy.brain, signal, np.clip(outside, 0, None))
    return np.where(mask, whole, 0).astype(np.float32), mask


def _on_side(x: np.ndarray, side: int) -> np.ndarray:
    return np.ones_like(x) if side == BOTH else (x * side > 0).astype(np.float32)
