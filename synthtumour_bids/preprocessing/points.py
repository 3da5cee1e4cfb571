"""Points of a scan, carried to the template without resampling anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_RAS_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # ITK counts x to the left and y to the back


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
