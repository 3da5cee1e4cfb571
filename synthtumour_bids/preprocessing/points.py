"""Points of a scan, carried to the template without resampling anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_RAS_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # ITK counts x to the left and y to the back


Carrier = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def affine_carrier(transform: Path) -> Carrier:
    """Carry points of the scan to the template by its affine transform, (N, 3), RAS, mm."""
    matrix = scan_to_template(transform)
    return lambda points: points @ matrix[:3, :3].T + matrix[:3, 3]


def deformable_carrier(to_scan: Path) -> Carrier:
    """Carry points of the scan to the template by a deformable transform.

    Parameters
    ----------
    to_scan
        The transform that brings images of the template to the scan: it says for each point of
        the scan where it is in the template.
    """
    import SimpleITK as sitk

    transform, flip = sitk.ReadTransform(str(to_scan)), np.diag(_RAS_LPS)[:3]

    def carry(points: NDArray[np.float64]) -> NDArray[np.float64]:
        there = [transform.TransformPoint(point) for point in (points * flip).tolist()]
        carried: NDArray[np.float64] = np.array(there).reshape(-1, 3) * flip
        return carried

    return carry


def scan_to_template(transform: Path) -> NDArray[np.float64]:
    """Matrix of an affine transform file, for points.

    ITK's transforms say for each point of the template where it is in the scan: the inverse of
    what points need.

    Parameters
    ----------
    transform
        Affine file of ITK (``.mat``), scan to template, as :mod:`registration` leaves it.

    Returns
    -------
    ndarray
        (4, 4): the scan's world to the template's, both RAS, mm.
    """
    import SimpleITK as sitk

    to_scan = sitk.ReadTransform(str(transform))
    origin = np.array(to_scan.TransformPoint((0.0, 0.0, 0.0)))
    matrix = np.eye(4)
    matrix[:3, 3] = origin
    for axis, unit in enumerate(np.eye(3)):
        matrix[:3, axis] = np.array(to_scan.TransformPoint(unit.tolist())) - origin
    found: NDArray[np.float64] = np.linalg.inv(_RAS_LPS @ matrix @ _RAS_LPS)
    return found
