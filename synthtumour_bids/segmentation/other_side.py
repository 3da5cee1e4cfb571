"""Which parts of a mask are no brighter than the other side of the brain.

Tumours are brighter than the place that mirrors them. Confluent hyperintensities of old age, rims
around wide ventricles and what a network mistakes for a tumour in normal brain are mostly not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthtumour_bids.segmentation.midplane import Midplane, find_midplane
from synthtumour_bids.segmentation.other_side_rules import ComponentVerdict, OtherSide, Reason

MAD_TO_SD = 1.4826  # of a normal distribution
DARKEST = 3.0  # robust standard deviations that count when a brain is mirrored into itself
NEIGHBOURS = np.ones((3, 3, 3), dtype=int)  # diagonal ones count, as where specks are removed


def compare(
    flair: NDArray[np.number],
    brain: NDArray[np.bool_],
    mask: NDArray[np.bool_],
    affine: NDArray[np.floating],
    settings: OtherSide | None = None,
) -> list[ComponentVerdict]:
    """Compare every part (26-connected) of a mask with the other side of the brain.

    A verdict depends on the scan and the part alone, not on what else is in the mask, so that
    what stays would stay again.

    Parameters
    ----------
    flair
        Scan on a left-right symmetric template, (X, Y, Z), any scale; voxels that are not finite
        count as outside the brain.
    brain, mask
        Of the brain and of the lesion, on the same grid. Lesion outside the brain is not looked at.
    affine
        Of the grid, (4, 4), voxel index to world (RAS, the midline near x = 0), mm.
    settings
        Limits; the defaults of :class:`OtherSide` when left out.

    Returns
    -------
    list
        One verdict per part, in the order of their first voxels. A scan without any spread of
        brightness gives no reason to drop a part.

    Raises
    ------
    ValueError
        When the arrays are not 3-D on one grid, or the affine does not fit.
    """
    rules = settings or OtherSide()
    scan, inside = np.asarray(flair), np.asarray(brain, dtype=bool)
    marked, grid = np.asarray(mask, dtype=bool), np.asarray(affine, dtype=float)
    if scan.ndim != 3 or not scan.shape == inside.shape == marked.shape or grid.shape != (4, 4):
        raise ValueError(
            "expected scan, brain and mask in 3-D on one grid and an affine of (4, 4), got shapes "
            f"{scan.shape}, {inside.shape}, {marked.shape} and {grid.shape}"
        )
    labels, count = ndimage.label(marked, NEIGHBOURS)
    if not count:
        return []
    inside = inside & np.isfinite(scan)
    sides = _sides(scan, inside, grid, rules)
    boxes = ndimage.find_objects(labels)
    return [_judge(labels, number, boxes[number - 1], sides) for number in range(1, count + 1)]


def keep(mask: NDArray[np.bool_], verdicts: Sequence[ComponentVerdict]) -> NDArray[np.bool_]:
    """Mask without the parts that are to go.

    Parameters
    ----------
    mask
        That was compared, (X, Y, Z).
    verdicts
        On its parts, as :func:`compare` gave them.

    Raises
    ------
    ValueError
        When the verdicts are not those of this mask.
    """
    marked = np.asarray(mask, dtype=bool)
    if all(one.kept for one in verdicts) and not (marked.any() and not verdicts):
        return marked.copy()
    labels, count = ndimage.label(marked, NEIGHBOURS)
    if count != len(verdicts):
        raise ValueError(f"{len(verdicts)} verdicts do not fit a mask with {count} parts")
    kept: NDArray[np.bool_] = np.array([False, *(one.kept for one in verdicts)])[labels]
    return kept


def dropped_territory(
    mask: NDArray[np.bool_], verdicts: Sequence[ComponentVerdict], spacing: Sequence[float]
) -> NDArray[np.bool_]:
    """Voxels that lie nearer to a part that goes than to one that stays.

    Where a map of probabilities is 0 there, neither the part nor its blurred rim is left.

    Parameters
    ----------
    mask, verdicts
        As for :func:`keep`.
    spacing
        Voxel size along the axes, mm.
    """
    kept = keep(mask, verdicts)
    gone = np.asarray(mask, dtype=bool) & ~kept
    if not gone.any() or not kept.any():
        return np.full(gone.shape, gone.any())
    nearer: NDArray[np.bool_] = ndimage.distance_transform_edt(
        ~gone, sampling=spacing
    ) < ndimage.distance_transform_edt(~kept, sampling=spacing)
    return nearer


@dataclass(frozen=True, eq=False)
class _Sides:
    """A scan made ready: its brightness, and where the mirrored places are."""

    brightness: NDArray[np.float32] | None  # SD, smoothed; None where the scan has no spread
    brain: NDArray[np.bool_]
    affine: NDArray[np.float64]
    reflection: NDArray[np.float64]  # (4, 4), index to index
    rules: OtherSide


def midplane_of(
    scan: NDArray[np.number],
    brain: NDArray[np.bool_],
    affine: NDArray[np.floating],
    settings: OtherSide | None = None,
) -> Midplane:
    """Plane that mirrors a brain into itself best; parameters as for :func:`compare`.

    The grid may be any on which the affine leads to the template's world.
    """
    grid = np.asarray(affine, dtype=float)
    known = _brightness(scan, brain, grid, settings or OtherSide())
    return Midplane() if known is None else _midplane(*known, brain, grid)


def brightness_of(
    scan: NDArray[np.number],
    brain: NDArray[np.bool_],
    affine: NDArray[np.floating],
    settings: OtherSide,
) -> NDArray[np.float32] | None:
    """Brightness by which sides are compared: over the brain's median, smoothed, (X, Y, Z), SD.

    Parameters are as for :func:`compare`. ``None`` where the scan has no spread.
    """
    inside = brain & np.isfinite(scan)
    known = _brightness(scan, inside, np.asarray(affine, dtype=float), settings)
    return None if known is None else known[0]


def _midplane(
    brightness: NDArray[np.float32],
    cover: NDArray[np.float32],
    brain: NDArray[np.bool_],
    affine: NDArray[np.float64],
) -> Midplane:
    outlined = (np.clip(brightness, -DARKEST, DARKEST) + DARKEST) * cover
    return find_midplane(outlined, brain, affine)


def _sides(
    scan: NDArray[np.number],
    brain: NDArray[np.bool_],
    affine: NDArray[np.float64],
    rules: OtherSide,
) -> _Sides:
    known = _brightness(scan, brain, affine, rules)
    if known is None:
        return _Sides(None, brain, affine, np.eye(4), rules)
    plane = _midplane(*known, brain, affine)
    return _Sides(known[0], brain, affine, plane.reflection(affine), rules)


def _brightness(
    scan: NDArray[np.number],
    brain: NDArray[np.bool_],
    affine: NDArray[np.float64],
    rules: OtherSide,
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Smoothed brightness above the brain's median, SD, and how much brain is in each mean.

    ``None`` where the scan has no spread.
    """
    values = scan[brain].astype(np.float64)
    median = float(np.median(values)) if values.size else 0.0
    spread = MAD_TO_SD * float(np.median(np.abs(values - median))) if values.size else 0.0
    if spread <= 0:
        return None
    standard = np.zeros(scan.shape, np.float32)
    standard[brain] = rules.sign * (values - median) / spread
    sigma = rules.smoothing_mm / np.linalg.norm(affine[:3, :3], axis=0)
    cover = ndimage.gaussian_filter(brain.astype(np.float32), sigma, mode="constant")
    total = ndimage.gaussian_filter(standard, sigma, mode="constant")
    return np.divide(total, cover, out=np.zeros_like(total), where=cover > 1e-3), cover


def _judge(
    labels: NDArray[np.integer], number: int, box: tuple[slice, slice, slice], sides: _Sides
) -> ComponentVerdict:
    rules, affine = sides.rules, sides.affine
    part = labels[box] == number
    indices = np.argwhere(part) + [one.start for one in box]
    volume = len(indices) * abs(float(np.linalg.det(affine[:3, :3]))) / 1000
    x, y, z = (float(value) for value in affine[:3, :3] @ indices.mean(axis=0) + affine[:3, 3])
    known = volume, (x, y, z)
    indices = indices[sides.brain[tuple(indices.T)]]
    if sides.brightness is None or not len(indices):
        return ComponentVerdict(Reason.NOTHING_TO_COMPARE, *known)
    if volume < rules.smallest_ml:
        return ComponentVerdict(Reason.TOO_SMALL, *known)
    places = sides.reflection[:3, :3] @ indices.T + sides.reflection[:3, 3:]
    comparable = _at(sides.brain.astype(np.float32), places) >= 0.5
    own = sides.brightness[tuple(indices.T)]
    brightness = float(own.mean(dtype=np.float64))
    if comparable.mean() < rules.least_comparable:
        return ComponentVerdict(Reason.NOTHING_TO_COMPARE, *known, None, brightness)
    differences = (own - _at(sides.brightness, places))[comparable]
    difference = float(differences.mean(dtype=np.float64))
    if difference >= rules.least_difference:
        return ComponentVerdict(Reason.BRIGHTER, *known, difference, brightness)
    itself = (_at(labels, places, order=0) == number)[comparable]
    wings = 2 if itself.any() else 1
    compactness = _compactness(part, np.linalg.norm(affine[:3, :3], axis=0), wings)
    reason = Reason.LIKE_OTHER_SIDE
    if compactness >= rules.compact:
        reason = _exception(differences, itself, brightness, rules)
    return ComponentVerdict(reason, *known, difference, brightness, compactness)


def _exception(
    differences: NDArray[np.floating],
    itself: NDArray[np.bool_],
    brightness: float,
    rules: OtherSide,
) -> Reason:
    """Why a compact part stays that is like the other side, if it does.

    Parameters
    ----------
    differences
        From the other side, of the voxels that can be compared, (N,), SD.
    itself
        Where the other side is part of the same part, (N,).
    brightness
        Mean over the brain's median, SD.
    """
    if not itself.any():
        bright = brightness >= rules.bright_pair
        return Reason.BRIGHT_PAIR if bright else Reason.LIKE_OTHER_SIDE
    remainder = differences[~itself]
    if remainder.size >= rules.least_remaining * differences.size:
        brighter = float(remainder.mean(dtype=np.float64)) >= rules.least_difference
        return Reason.BRIGHTER_REMAINDER if brighter else Reason.LIKE_OTHER_SIDE
    bright = brightness >= rules.bright_across
    return Reason.BRIGHT_ACROSS if bright else Reason.LIKE_OTHER_SIDE


def _compactness(part: NDArray[np.bool_], spacing: NDArray[np.floating], wings: int) -> float:
    """Radius of the largest ball inside, over that of a ball with one wing's volume."""
    solid = ndimage.binary_fill_holes(np.pad(part, 1))
    depth = ndimage.distance_transform_edt(solid, sampling=spacing)
    radius = float(depth.max()) - float(spacing.mean()) / 2  # to the border, not beyond it
    volume = float(np.count_nonzero(solid)) * float(np.prod(spacing)) / wings
    return radius / float(np.cbrt(3 * volume / (4 * np.pi)))


def _at(
    values: NDArray[np.number], places: NDArray[np.floating], order: int = 1
) -> NDArray[np.number]:
    """Values at places between voxels, (3, N); 0 outside the grid."""
    found: NDArray[np.number] = ndimage.map_coordinates(
        values, places, order=order, mode="constant", cval=0
    )
    return found
