"""Noticing a failed brain extraction or registration without knowing the truth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

# Brain with the fluid around it, adults of all ages with room to spare, in mL.
_VOLUME_ML = (900.0, 2000.0)
# Signal just outside the mask over that inside: bone and fluid are dark.
_BRIGHTEST_RIM = 0.85
# Overlap (Dice) with the standard brain after the affine registration, and of the mask with its
# own mirror image there.
_LEAST_OVERLAP = 0.88
_LEAST_SYMMETRY = 0.88
# Mutual information of the scan and the standard brain.
_LEAST_INFORMATION = 0.25


def mask_quality(
    data: np.ndarray, mask: np.ndarray, spacing: np.ndarray, *, stripped: bool
) -> dict[str, float]:
    """Measure a brain mask on the scan's own grid.

    Parameters
    ----------
    data, mask
        Scan and brain (X, Y, Z).
    spacing
        Voxel sizes in mm.
    stripped
        Whether nothing is left outside the mask.

    Returns
    -------
    dict
        ``brain_volume_mL``, and for a head ``brain_rim``: the median signal in the 2 to 6 mm
        outside the mask over that in the 2 to 6 mm inside.
    """
    quality = {"brain_volume_mL": float(mask.sum() * np.prod(spacing) / 1000)}
    if stripped or not mask.any() or mask.all():
        return quality
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing)
    inside = ndimage.distance_transform_edt(mask, sampling=spacing)
    outer = data[(outside > 2) & (outside <= 6)]
    inner = data[(inside > 2) & (inside <= 6)]
    level = float(np.median(inner)) if inner.size else 0.0
    if outer.size and level > 0:
        quality["brain_rim"] = float(np.median(outer)) / level
    return quality


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
        "brain_rim_bright": quality.get("brain_rim", 0.0) > _BRIGHTEST_RIM,
        "brain_shape_unlikely": quality.get("standard_overlap", 1.0) < _LEAST_OVERLAP
        or quality.get("standard_symmetry", 1.0) < _LEAST_SYMMETRY,
        "registration_poor": quality.get("registration_information", _LEAST_INFORMATION)
        < _LEAST_INFORMATION,
    }
    return tuple(name for name, raised in suspicions.items() if raised)


def _dice(first: np.ndarray, second: np.ndarray) -> float:
    total = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / total if total else 0.0
