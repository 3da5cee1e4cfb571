"""Summary statistics of a segmentation, and the flags that ask a person to look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthtumour_bids.reports.summary import MARKED_ML
from synthtumour_bids.segmentation.calibration import Calibration
from synthtumour_bids.segmentation.presence import Presence
from synthtumour_bids.synthesis.geometry import dice

# Limits of plausibility, not tuned on any truth: beyond them a person should look.
LARGEST_SHARE_OF_BRAIN = 0.3
LOWEST_AGREEMENT = 0.5
LARGEST_SHARE_OUTSIDE = 0.1
HIGHEST_MEAN_ENTROPY = 0.5  # bits
LOWEST_EXPECTED_DICE = 0.6


def measure(
    mask: NDArray[np.bool_],
    probability: NDArray[np.float32],
    brain: NDArray[np.bool_],
    spacing: Sequence[float],
    uncertainty: NDArray[np.float32],
    *,
    marked: NDArray[np.bool_] | None = None,
    junior: NDArray[np.bool_] | None,
) -> dict[str, Any]:
    """Measure one segmentation.

    Parameters
    ----------
    mask, probability, brain, uncertainty
        On the scan's own grid, (X, Y, Z); probability in [0, 1], uncertainty in bits.
    spacing
        Voxel size along X, Y, Z, mm.
    marked
        What of the mask the network itself marked, which alone can be sure or not; left out: all.
    junior
        The junior's mask; ``None`` where one network segments alone.

    Returns
    -------
    JSON-able values. What compares both networks is there only where there are two.
    """
    voxel_ml = float(np.prod(spacing)) / 1000
    sure = mask if marked is None else marked
    return {
        "brain_volume_mL": round(float(brain.sum()) * voxel_ml, 2),
        "volume_mL": round(float(mask.sum()) * voxel_ml, 3),
        "n_components": int(ndimage.label(mask, np.ones((3, 3, 3)))[1]),
        **({} if junior is None else _compared(mask, junior, voxel_ml)),
        "mean_entropy": round(float(uncertainty[sure].mean()), 4) if sure.any() else None,
        "mean_probability": round(float(probability[sure].mean()), 4) if sure.any() else None,
    }


def _compared(
    mask: NDArray[np.bool_], junior: NDArray[np.bool_], voxel_ml: float
) -> dict[str, Any]:
    return {
        "junior_volume_mL": round(float(junior.sum()) * voxel_ml, 3),
        "junior_senior_dice": round(dice(mask, junior), 4),
    }


def expected_dice(
    sure: float | None, calibration: Calibration | None, present: Presence
) -> dict[str, float | None]:
    """Dice to be expected of a mask, with its interval, and how sure the network is of it.

    What is not known is ``None``, and so is the Dice where there is no tumour by the verdict.

    Parameters
    ----------
    sure
        Share of it that the network is sure of; see :func:`.uncertainty.sure_share`.
    calibration
        Of the network that made it.
    present
        The verdict on the scan.
    """
    told = {"sure_share": None if sure is None else round(sure, 4)}
    line = None if calibration is None else calibration.expected_dice
    found = None
    if line is not None and sure is not None and present is not Presence.NO:
        found = line.at(sure)
    values = (None,) * 3 if found is None else (found.value, found.low, found.high)
    names = ("expected_dice", "expected_dice_low", "expected_dice_high")
    return told | {
        name: None if value is None else round(value, 4)
        for name, value in zip(names, values, strict=True)
    }


def flags_of(
    measurements: Mapping[str, Any], outside: float, *, tumour_expected: bool = True
) -> list[str]:
    """Name what a person should look at: an empty mask only where there should be a tumour."""
    flags = []
    if outside > LARGEST_SHARE_OUTSIDE:
        flags.append("outside_brain")
    if measurements["volume_mL"] == 0 and tumour_expected:
        flags.append("empty")
    if measurements["volume_mL"] > MARKED_ML and not tumour_expected:
        flags.append("false_positive")
    if measurements["volume_mL"] > LARGEST_SHARE_OF_BRAIN * measurements["brain_volume_mL"]:
        flags.append("over_30_percent_of_brain")
    if measurements.get("junior_senior_dice", 1) < LOWEST_AGREEMENT:
        flags.append("low_agreement")
    if measurements["volume_mL"] and (measurements["mean_entropy"] or 0) > HIGHEST_MEAN_ENTROPY:
        flags.append("uncertain")
    # The line is fitted on mixed or drawn tumours, which may be harder to find than those of scans.
    at_best = measurements.get("expected_dice_high")
    if at_best is not None and at_best < LOWEST_EXPECTED_DICE:
        flags.append("low_expected_dice")
    return flags
