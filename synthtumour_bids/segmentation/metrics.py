"""Agreement of a segmentation with a manual one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthtumour_bids.synthesis.geometry import dice

MM3_PER_ML = 1000.0


@dataclass(frozen=True)
class Scores:
    """Agreement of one scan's mask with its manual mask.

    Attributes
    ----------
    dice
        Overlap in [0, 1]; 1 when both masks are empty, 0 when only one is.
    hd95_mm
        The larger of the 95th percentiles of the distances from either mask's surface to the
        other's, mm; 0 when both masks are empty, NaN (undefined) when only one is.
    volume_error_mL
        Segmented minus manual volume, mL.
    volume_error_percent
        The same in percent of the manual volume; 0 when both masks are empty, NaN when only the
        manual one is.
    """

    dice: float
    hd95_mm: float
    volume_error_mL: float  # noqa: N815 - mL is the unit's spelling
    volume_error_percent: float


def evaluate(
    prediction: NDArray[np.bool_], truth: NDArray[np.bool_], spacing: Sequence[float]
) -> Scores:
    """Compare a segmentation with the manual one.

    Parameters
    ----------
    prediction, truth
        Masks of one shape (X, Y, Z).
    spacing
        Voxel size along the same axes, mm.

    Raises
    ------
    ValueError
        The masks are not 3-D, differ in shape, or the spacing does not fit.
    """
    predicted = np.asarray(prediction, dtype=bool)
    true = np.asarray(truth, dtype=bool)
    if predicted.ndim != 3 or predicted.shape != true.shape or len(spacing) != 3:
        raise ValueError(
            f"expected two 3-D masks of one shape and three spacings, got {predicted.shape}, "
            f"{true.shape} and {len(spacing)} spacings"
        )
    voxel_ml = math.prod(float(s) for s in spacing) / MM3_PER_ML
    difference = (int(predicted.sum()) - int(true.sum())) * voxel_ml
    if not true.any():
        both_empty = not predicted.any()
        return Scores(
            dice=1.0 if both_empty else 0.0,
            hd95_mm=0.0 if both_empty else math.nan,
            volume_error_mL=difference,
            volume_error_percent=0.0 if both_empty else math.nan,
        )
    percent = 100.0 * difference / (int(true.sum()) * voxel_ml)
    if not predicted.any():
        return Scores(0.0, math.nan, difference, percent)

    box = ndimage.find_objects((predicted | true).astype(np.uint8))[0]
    predicted, true = predicted[box], true[box]
    distance = max(_distance_95(predicted, true, spacing), _distance_95(true, predicted, spacing))
    return Scores(dice(predicted, true), distance, difference, percent)


def _distance_95(
    one: NDArray[np.bool_], other: NDArray[np.bool_], spacing: Sequence[float]
) -> float:
    """95th percentile of the distances from the surface of one mask to that of another, mm."""
    distances = ndimage.distance_transform_edt(~_surface(other), sampling=spacing)
    return float(np.percentile(distances[_surface(one)], 95))


def _surface(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Voxels that have a face in common with what is outside; the edge of the array is."""
    surface: NDArray[np.bool_] = mask & ~ndimage.binary_erosion(mask)
    return surface
