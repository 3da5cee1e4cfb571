"""Summary statistics of a segmentation, and the flags that ask a person to look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

# Limits of plausibility, not tuned on any truth: beyond them a person should look.
LARGEST_SHARE_OF_BRAIN = 0.3
LOWEST_AGREEMENT = 0.5
LARGEST_SHARE_OUTSIDE = 0.1
HIGHEST_MEAN_ENTROPY = 0.5  # bits


def measure(
    masks: Mapping[str, NDArray[np.bool_]],
    native: Mapping[str, NDArray[np.float32]],
    brain: NDArray[np.bool_],
    spacing: Sequence[float],
    agreement: float,
    uncertainty: NDArray[np.float32],
) -> dict[str, Any]:
    """Measure one segmentation; JSON-able, from masks and probabilities of both networks."""
    voxel_ml = float(np.prod(spacing)) / 1000
    mask = masks["senior"]
    return {
        "brain_volume_mL": round(float(brain.sum()) * voxel_ml, 2),
        "volume_mL": round(float(mask.sum()) * voxel_ml, 3),
        "n_components": int(ndimage.label(mask, np.ones((3, 3, 3)))[1]),
        "junior_volume_mL": round(float(masks["junior"].sum()) * voxel_ml, 3),
        "junior_senior_dice": round(agreement, 4),
        "mean_entropy": round(float(uncertainty[mask].mean()), 4) if mask.any() else None,
        "mean_probability": round(float(native["senior"][mask].mean()), 4) if mask.any() else None,
    }


def flags_of(measurements: Mapping[str, Any], outside: float) -> list[str]:
    """Name what a person should look at."""
    flags = []
    if outside > LARGEST_SHARE_OUTSIDE:
        flags.append("outside_brain")
    if measurements["volume_mL"] == 0:
        flags.append("empty")
    if measurements["volume_mL"] > LARGEST_SHARE_OF_BRAIN * measurements["brain_volume_mL"]:
        flags.append("over_30_percent_of_brain")
    if measurements["junior_senior_dice"] < LOWEST_AGREEMENT:
        flags.append("low_agreement")
    if measurements["volume_mL"] and (measurements["mean_entropy"] or 0) > HIGHEST_MEAN_ENTROPY:
        flags.append("uncertain")
    return flags
