"""Folds of the cortex: every head gets sulci of its own.

The average of many heads has folds that nobody has. Here, sulci open where a random band-pass
field on the brain's outer surface is zero, which makes a labyrinth of gyri of about one width, and
run inwards from there, each as deep as a second random field says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from synthtumour_bids.simulation.anatomy import SHAPE, SPACING, AverageHead
from synthtumour_bids.simulation.fields import smooth_field, smooth_step


@dataclass(frozen=True)
class Folds:
    """How a cortex is folded.

    Attributes
    ----------
    spacing
        mm from one sulcus to the next.
    depth
        Mean and standard deviation of the sulci's depth, mm.
    width
        mm that a sulcus is open at its mouth; negative where its banks touch.
    thickness
        mm of cortex.
    recess
        mm of CSF between the brain and what surrounds it.
    """

    spacing: float
    depth: tuple[float, float]
    width: float
    thickness: float
    recess: float


@dataclass(frozen=True)
class Sulci:
    """Where the sulci run in the average head's space, float32 (X, Y, Z), all in mm.

    ``sheet`` is the signed distance to the nearest sulcus' middle, ``floor`` how deep it goes.
    """

    sheet: np.ndarray
    floor: np.ndarray


def draw_sulci(average: AverageHead, folds: Folds, rng: np.random.Generator) -> Sulci:
    """Draw one head's sulci.

    Parameters
    ----------
    average
        The head whose surface they open on.
    folds
        Their spacing and depth.
    rng
        Draws their course.

    Returns
    -------
    Sulci on the average head's grid.
    """
    # A difference of Gaussians of widths 1 : 1.6 passes waves of 5.7 times the narrower one; a
    # wave has two zeros.
    width = 2 * folds.spacing / 5.7 / SPACING
    noise = rng.standard_normal(SHAPE, dtype=np.float32)
    narrow = ndimage.gaussian_filter(noise, width, truncate=2.5)
    waves = narrow - ndimage.gaussian_filter(narrow, 1.25 * width, truncate=2.5)
    mantle = (average.surface_depth > -6) & (average.surface_depth < 34)
    on_surface = np.zeros(SHAPE, np.float32)
    on_surface[mantle] = ndimage.map_coordinates(
        waves, average.surface_foot[:, mantle], order=1, mode="nearest"
    )
    slope = np.sqrt(sum(part**2 for part in np.gradient(on_surface, SPACING)))
    typical = float(np.sqrt(np.mean(slope[mantle] ** 2)))
    mean, deviation = folds.depth
    return Sulci(
        sheet=on_surface / np.maximum(slope, 0.4 * typical),
        floor=mean + deviation * smooth_field(rng, SHAPE, SPACING, 14),
    )


def fold(
    surface_depth: np.ndarray,
    deep_distance: np.ndarray,
    sheet: np.ndarray,
    floor: np.ndarray,
    width: np.ndarray | float,
    folds: Folds,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut sulci into the mantle and line it with cortex.

    Parameters
    ----------
    surface_depth, deep_distance, sheet, floor
        mm, one shape; see :class:`.AverageHead` and :class:`Sulci`.
    width
        mm that sulci are open, a number or of the same shape.
    folds
        Thickness of the cortex and of the fluid around the brain.

    Returns
    -------
    csf, gm
        Fractions in [0, 1]; the rest is white matter.
    depth
        mm below the cortex's surface, that of the sulci included.
    """
    below = np.maximum(surface_depth - floor, 0)
    beside = np.maximum(6.5 - deep_distance, 0)
    # Sulci are wide at the mouth and narrow at the floor.
    taper = 0.35 + 0.65 * np.clip(1 - surface_depth / np.maximum(floor, 4), 0, 1)
    opening = np.where(np.asarray(width) > 0, width * taper, width) / 2
    wall = np.sqrt(sheet**2 + below**2 + beside**2) - opening
    depth = np.minimum(surface_depth - folds.recess, wall)
    tissue = smooth_step(depth, -1.0, 1.0)
    inner = smooth_step(depth - folds.thickness, -0.9, 0.9)
    return 1 - tissue, tissue - inner, depth
