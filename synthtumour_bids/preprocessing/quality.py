"""Noticing a failed brain extraction or registration without knowing the truth."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

import numpy as np

from synthtumour_bids.preprocessing.distances import distance_to
from synthtumour_bids.preprocessing.geometry import bounding_box

# Brain with the fluid around it, adults of all ages with room to spare, in mL.
_VOLUME_ML = (900.0, 2000.0)
# Radius in mm of the ball, and the largest part of a brain that it may not reach.
_OPENING_MM = 6.0
_LARGEST_THIN_PART = 0.15
# Overlap (Dice) with the standard brain after the affine registration, and of the mask with its
# own mirror image there.
_LEAST_OVERLAP = 0.88
_LEAST_SYMMETRY = 0.88
# Mutual information of the scan and the standard brain.
_LEAST_INFORMATION = 0.4
# Mutual information of a scan and another image of the same head, rigidly aligned: as a share of
# the cohort's median and, where fewer scans than these make no cohort, as it is. Two simulated
# heads had 0.56 and 0.71 with their own T1w images, 0.15 and 0.17 with the other's.
_LEAST_OF_MEDIAN = 0.5
_LEAST_COHORT = 5
_LEAST_RIGID_INFORMATION = 0.3


def mask_quality(mask: np.ndarray, spacing: np.ndarray) -> dict[str, float]:
    """Measure a brain mask on the scan's own grid.

    Parameters
    ----------
    mask
        Brain (X, Y, Z), bool.
    spacing
        Voxel sizes in mm.

    Returns
    -------
    dict
        ``brain_volume_mL``, and ``brain_thin_part``: the part of it that an opening by a ball
        of 6 mm takes away (0 to 1). Little of a brain is that thin; bridges to eyes and scalp are.
    """
    volume = float(mask.sum() * np.prod(spacing) / 1000)
    if volume == 0:
        return {"brain_volume_mL": 0.0}
    brain = mask[bounding_box(mask, margin=1)]
    opened = distance_to(distance_to(~brain, spacing) > _OPENING_MM, spacing) <= _OPENING_MM
    lost = float((brain & ~opened).sum()) / float(brain.sum())
    return {"brain_volume_mL": volume, "brain_thin_part": lost}


def standard_quality(
    mask: np.ndarray, standard: np.ndarray, information: float
) -> dict[str, float]:
    """Measure a brain mask on the standard grid.

    Parameters
    ----------
    mask, standard
        The scan's brain and the standard brain, bool, on the symmetric standard grid (RAS, the
        midsagittal plane in the middle of the first axis).
    information
        Mutual information of the two brains' signals.

    Returns
    -------
    dict
        ``standard_overlap`` and ``standard_symmetry`` (Dice, 0 to 1),
        ``registration_information``.
    """
    return {
        "standard_overlap": _dice(mask, standard),
        "standard_symmetry": _dice(mask, mask[::-1]),
        "registration_information": information,
    }


def flags(quality: Mapping[str, float]) -> tuple[str, ...]:
    """Name what is out of the ordinary; figures that were not measured raise nothing."""
    suspicions = {
        "brain_volume_low": quality.get("brain_volume_mL", _VOLUME_ML[0]) < _VOLUME_ML[0],
        "brain_volume_high": quality.get("brain_volume_mL", _VOLUME_ML[1]) > _VOLUME_ML[1],
        "brain_shape_unlikely": quality.get("brain_thin_part", 0.0) > _LARGEST_THIN_PART
        or quality.get("standard_overlap", 1.0) < _LEAST_OVERLAP
        or quality.get("standard_symmetry", 1.0) < _LEAST_SYMMETRY,
        "registration_poor": quality.get("registration_information", _LEAST_INFORMATION)
        < _LEAST_INFORMATION,
    }
    return tuple(name for name, raised in suspicions.items() if raised)


def _dice(first: np.ndarray, second: np.ndarray) -> float:
    total = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / total if total else 0.0


def unlike_the_others(information: Mapping[str, float]) -> frozenset[str]:
    """Name the images that tell far less of their scans than those of the cohort do.

    Mutual information has no scale of its own: noise, voxel sizes and contrasts of a cohort set
    it. Within one it differs little between the heads, and falls when the two images are of
    different ones.

    Parameters
    ----------
    information
        Mutual information of scan and image after their rigid alignment, by scan.
    """
    if len(information) < _LEAST_COHORT:
        return frozenset(
            name for name, value in information.items() if value < _LEAST_RIGID_INFORMATION
        )
    middle = median(information.values())
    return frozenset(
        name for name, value in information.items() if value < _LEAST_OF_MEDIAN * middle
    )
