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
# A network may miss in one scan what it marks in the other, although it looks the same in both.
LEAST_DIFFERENCE = 0.5  # robust standard deviations of normal brain
_PER_MAD = 1.4826  # standard deviations of normal values in a median absolute deviation


class Voxel(StrEnum):
    """What became of a voxel, in the order of its numbers in a map of change, from 1."""

    STABLE = "stable"
    NEW = "new"
    GONE = "gone"


NUMBERS = {one: number for number, one in enumerate(Voxel, 1)}  # of a map of change


class Verdict(StrEnum):
    """What can be said of a change."""

    GROWN = "grown"
    SHRUNK = "shrunk"
    NOT_MEASURABLE = "no measurable change"


ORIGIN = (
    f"A change counts as measurable where it is more than {100 * REPEATABILITY_SHARE:.0f} % of the "
    f"mean of both volumes, more than {REPEATABILITY_ML:g} mL, and more than {AGAINST_TREND:g} "
    "times what has changed the other way (is gone although the tumour has grown, or new although "
    "it has shrunk), and where the scans differ in what is new (or gone, of a tumour that has "
    f"shrunk) by {LEAST_DIFFERENCE:g} robust standard deviations of normal brain or more; "
    f"else it is called “{Verdict.NOT_MEASURABLE}”. These limits are what simulated heads show "
    "that were scanned twice, with other noise and in another position; another scanner or "
    "sequence can make a larger difference."
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
    difference_sd
        What `scan_difference` says of what is new, or gone where that is the lesion's trend.
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
    difference_sd: float | None
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
    for number, where in zip(
        NUMBERS.values(), (before & after, after & ~before, before & ~after), strict=True
    ):
        values[where] = number
    return values


def scan_difference(
    before: NDArray[np.floating],
    after: NDArray[np.floating],
    where: NDArray[np.bool_],
    normal: NDArray[np.bool_],
) -> float | None:
    """By how much brighter a part is in the later of two aligned scans than in the earlier one.

    Parameters
    ----------
    before, after
        The scans on one grid, (X, Y, Z).
    where
        The part, (X, Y, Z).
    normal
        Brain without a lesion in either scan: each scan's median there is its 0, and its robust
        standard deviation the unit.

    Returns
    -------
    Difference of the part's medians, in robust standard deviations; ``None`` where the part is
    empty, or a scan is the same everywhere.
    """
    if not where.any() or not normal.any():
        return None
    medians = []
    for image in (before, after):
        centre = np.median(image[normal])
        spread = _PER_MAD * np.median(np.abs(image[normal] - centre))
        if spread == 0:
            return None
        medians.append(float((np.median(image[where]) - centre) / spread))
    return medians[1] - medians[0]


def likeness(
    before: NDArray[np.floating], after: NDArray[np.floating], normal: NDArray[np.bool_]
) -> float:
    """Correlation of two aligned scans in normal brain, -1 to 1; 0 where there is none.

    Parameters
    ----------
    before, after, normal
        As for `scan_difference`.
    """
    return float(np.corrcoef(before[normal], after[normal])[0, 1]) if normal.any() else 0.0


def change_between(
    before_ml: float,
    after_ml: float,
    changes: NDArray[np.uint8],
    voxel_ml: float,
    interval_years: float | None,
    difference_sd: float | None,
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
    difference_sd
        Of `scan_difference`; ``None`` where it is not known, and says nothing.
    """
    difference = after_ml - before_ml
    stable, new, gone = (float(np.sum(changes == n)) * voxel_ml for n in NUMBERS.values())
    limit = smallest_measurable(before_ml, after_ml, min(new, gone))
    direction = Verdict.GROWN if difference > 0 else Verdict.SHRUNK
    seen = difference_sd is None or abs(difference_sd) >= LEAST_DIFFERENCE
    measurable = abs(difference) > limit and seen
    radius = sphere_radius(after_ml) - sphere_radius(before_ml)
    return Change(
        previous_volume_mL=before_ml,
        volume_mL=after_ml,
        change_mL=difference,
        change_percent=100 * difference / before_ml if before_ml else None,
        smallest_measurable_mL=limit,
        verdict=direction if measurable else Verdict.NOT_MEASURABLE,
        stable_mL=stable,
        new_mL=new,
        gone_mL=gone,
        difference_sd=difference_sd,
        radius_change_mm=radius,
        interval_years=interval_years,
        radius_rate_mm_per_year=radius / interval_years if interval_years else None,
    )
