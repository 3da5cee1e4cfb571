"""How much a lesion has changed from one session to the next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

# What a scan repeated at once would show: measured by benchmarks/repeats.py, see RESULTS.md there.
REPEATABILITY_SHARE = 0.3  # of the mean of both volumes
REPEATABILITY_ML = 1.0
# What has changed against the trend is error, and with the trend as much must be expected, twice
# to be on the safe side: masks that lie in other places each time say nothing about growth.
AGAINST_TREND = 2.0


class Voxel(StrEnum):
    """What became of a voxel, in the order of its numbers in a map of change, from 1."""

    STABLE = "stable"
    NEW = "new"
    GONE = "gone"


class Verdict(StrEnum):
    """What can be said of a change."""

    GROWN = "grown"
    SHRUNK = "shrunk"
    NOT_MEASURABLE = "no measurable change"


ORIGIN = (
    f"A change counts as measurable where it is more than {100 * REPEATABILITY_SHARE:.0f} % of the "
    f"mean of both volumes, more than {REPEATABILITY_ML:g} mL, and more than {AGAINST_TREND:g} "
    "times what has changed the other way (is gone although the tumour has grown, or new although "
    "it has shrunk); "
    f"else it is called “{Verdict.NOT_MEASURABLE}”. The {100 * REPEATABILITY_SHARE:.0f} % are what "
    "simulated heads show that were scanned twice, with other noise and in another position; "
    "another scanner or sequence can make a larger difference."
)


@dataclass(frozen=True)
class Change:
    """From one session to the next.

    Attributes
    ----------
    previous_volume_mL, volume_mL
        Of the masks, each on its scan's own grid.
    change_mL, change_percent
        The difference, and its share of the earlier volume; ``None`` where that was 0.
    smallest_measurable_mL
        A difference up to this is what repeated scans of an unchanged lesion show.
    verdict
        Grown, shrunk or neither.
    stable_mL, new_mL, gone_mL
        Volumes of the map of change.
    radius_change_mm
        Of the sphere with the lesion's volume.
    interval_years
        Between both sessions; ``None`` where that is not known.
    radius_rate_mm_per_year
        ``radius_change_mm`` over ``interval_years``.
    """

    previous_volume_mL: float  # noqa: N815 - units as in the tables
    volume_mL: float  # noqa: N815
    change_mL: float  # noqa: N815
    change_percent: float | None
    smallest_measurable_mL: float  # noqa: N815
    verdict: Verdict
    stable_mL: float  # noqa: N815
    new_mL: float  # noqa: N815
    gone_mL: float  # noqa: N815
    radius_change_mm: float
    interval_years: float | None
    radius_rate_mm_per_year: float | None


def sphere_radius(volume_ml: float) -> float:
    """Radius in mm of the sphere of a volume in mL."""
    return float(np.cbrt(3000 * volume_ml / (4 * np.pi)))


def smallest_measurable(before_ml: float, after_ml: float, against_ml: float = 0.0) -> float:
    """Difference of two volumes up to which the lesion may not have changed at all.

    Parameters
    ----------
    before_ml, after_ml
        The volumes, mL.
    against_ml
        What is gone from a lesion that is larger on the whole, or new in one that is smaller, mL.

    Returns
    -------
    mL.
    """
    share = REPEATABILITY_SHARE * (before_ml + after_ml) / 2
    return max(REPEATABILITY_ML, share, AGAINST_TREND * against_ml)


def change_map(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Number of what became of each voxel, of `Voxel` from 1; 0 where no lesion was or is.

    Parameters
    ----------
    before, after
        Masks on one grid, (X, Y, Z).
    """
    values = np.zeros(before.shape, np.uint8)
    for number, where in enumerate((before & after, after & ~before, before & ~after), 1):
        values[where] = number
    return values


def change_between(
    before_ml: float,
    after_ml: float,
    changes: NDArray[np.uint8],
    voxel_ml: float,
    interval_years: float | None,
) -> Change:
    """Put a change into figures.

    Parameters
    ----------
    before_ml, after_ml
        Volumes of both masks on their own grids, mL.
    changes
        What `change_map` says.
    voxel_ml
        Volume of one of its voxels, mL.
    interval_years
        From the earlier session to the later one, above 0; ``None`` where it is not known.
    """
    difference = after_ml - before_ml
    stable, new, gone = (float(np.sum(changes == n)) * voxel_ml for n in range(1, len(Voxel) + 1))
    limit = smallest_measurable(before_ml, after_ml, min(new, gone))
    direction = Verdict.GROWN if difference > 0 else Verdict.SHRUNK
    radius = sphere_radius(after_ml) - sphere_radius(before_ml)
    return Change(
        previous_volume_mL=before_ml,
        volume_mL=after_ml,
        change_mL=difference,
        change_percent=100 * difference / before_ml if before_ml else None,
        smallest_measurable_mL=limit,
        verdict=direction if abs(difference) > limit else Verdict.NOT_MEASURABLE,
        stable_mL=stable,
        new_mL=new,
        gone_mL=gone,
        radius_change_mm=radius,
        interval_years=interval_years,
        radius_rate_mm_per_year=radius / interval_years if interval_years else None,
    )
