"""What one process takes for scans, reckoned from their headers before anything is read."""

from __future__ import annotations

import math
from collections.abc import Iterable

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.preprocessing.reading import UnreadableError, open_header

LIBRARIES_GB = 1.2
BYTES_PER_VOXEL = 32  # of the scan's own grid; benchmarks/large_scans.py measures them


def memory_gb(scans: Iterable[Scan], least: float) -> float:
    """Memory of a process that takes one scan after the other.

    Parameters
    ----------
    scans
        That are worked on.
    least
        What the work takes on the template's grid, GB.

    Returns
    -------
    GB that the largest scan asks for, at least `least`.
    """
    return max([least, *(_of(scan) for scan in scans)])


def _of(scan: Scan) -> float:
    try:
        voxels = float(math.prod(open_header(scan.path).get_data_shape()[:3]))
    except UnreadableError:  # which is said when it is worked on
        return 0.0
    return LIBRARIES_GB + voxels * BYTES_PER_VOXEL / 1e9
