"""How near refined lesions come to real ones that no network has seen.

The measure ends the training and chooses its result. It describes each class of a lesion, and the
rim around it, by fixed numbers: quantiles of brightness, of its gradient and of its finest detail.
They come from no network and stand in no loss, so that the generator cannot learn to please them;
and they cost a second on a CPU. Sets of lesions are compared by the energy distance, which also
sees when refined lesions all look alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .rims import gate_of, reach_box
from .scans import BrainScan

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
LEAST = 20  # voxels needed to describe a class


def describe(scan: BrainScan, classes: int, reach_mm: float) -> NDArray[np.float64]:
    """Describe the lesion of a scan.

    Parameters
    ----------
    scan
        Real, coarse or refined.
    classes
        How many tumour classes there are, background not counted.
    reach_mm
        Width of the rim, mm.

    Returns
    -------
    ndarray
        (classes + 1, C * 15): one row per class and a last one for the rim; NaN where a class is
        absent or too small.
    """
    rows = np.full((classes + 1, scan.contrasts * 3 * len(QUANTILES)), np.nan)
    box = reach_box(scan.classes > 0, scan.spacing, reach_mm)
    if box.empty:
        return rows
    kinds = scan.classes[box.slices]
    gate = gate_of(kinds, scan.brain[box.slices], scan.spacing, reach_mm)
    masks = [kinds == k for k in range(1, classes + 1)] + [(gate > 0) & (kinds == 0)]
    aspects = []
    for image in scan.images:
        values = np.asarray(image[box.slices], dtype=np.float64)
        slopes = np.gradient(values, *scan.spacing)
        detail = np.abs(values - ndimage.uniform_filter(values, 3))
        aspects += [values, np.sqrt(sum(slope**2 for slope in slopes)), detail]
    for row, mask in zip(rows, masks, strict=True):
        if np.count_nonzero(mask) >= LEAST:
            row[:] = np.concatenate([np.quantile(aspect[mask], QUANTILES) for aspect in aspects])
    return rows


@dataclass(frozen=True, eq=False)
class Reference:
    """Descriptions of real lesions to compare with.

    Attributes
    ----------
    lesions
        (n, K + 1, F), of the lesions that were held out.
    spread
        Standard deviation of each number over all real lesions, (K + 1, F).
    """

    lesions: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def of(
        cls, held_out: Sequence[BrainScan], others: Sequence[BrainScan], classes: int, reach: float
    ) -> Reference:
        """Describe the held-out lesions.

        Parameters
        ----------
        held_out
            Scans that no network has seen.
        others
            Further annotated scans, which help to find the spread.
        classes
            How many tumour classes there are.
        reach
            Width of the rim, mm.
        """
        lesions = np.stack([describe(scan, classes, reach) for scan in held_out])
        rest = [describe(scan, classes, reach) for scan in others]
        everything = np.concatenate([lesions, np.stack(rest)]) if rest else lesions
        known = ~np.isnan(everything)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, everything, 0).sum(axis=0) / count
        variance = np.where(known, (everything - mean) ** 2, 0).sum(axis=0) / count
        return cls(lesions, np.sqrt(variance) + 0.05)

    def distance(
        self, samples: NDArray[np.float64], *, unbiased: bool = False
    ) -> tuple[float, tuple[float | None, ...]]:
        """Energy distance of samples, (m, K + 1, F), to the held-out lesions.

        Parameters
        ----------
        samples
            Descriptions of them.
        unbiased
            As for :func:`energy_distance`.

        Returns
        -------
        mean : float
            Over the classes and the rim, 0 for equal distributions.
        each : tuple
            Per class, the rim last; None where one side lacks it.
        """
        each: list[float | None] = []
        for k in range(self.lesions.shape[1]):
            mine, real = (
                rows[~np.isnan(rows).any(axis=1)] / self.spread[k]
                for rows in (samples[:, k], self.lesions[:, k])
            )
            known = len(mine) and len(real)
            each.append(energy_distance(mine, real, unbiased=unbiased) if known else None)
        values = [value for value in each if value is not None]
        return (float(np.mean(values)) if values else float("inf")), tuple(each)

    def left_out(self, samples: NDArray[np.float64]) -> tuple[list[float], list[float]]:
        """Distances with each one left out in turn, for the jackknife.

        Parameters
        ----------
        samples
            Descriptions, (m, K + 1, F).

        Returns
        -------
        samples, lesions : list of float
            m without a sample, n without a real lesion; empty where there is but one.
        """
        m, n = len(samples), len(self.lesions)
        fewer = [replace(self, lesions=np.delete(self.lesions, i, 0)) for i in range(n) if n > 1]
        return (
            [self.distance(np.delete(samples, i, 0))[0] for i in range(m) if m > 1],
            [other.distance(samples)[0] for other in fewer],
        )


def energy_distance(
    a: NDArray[np.float64], b: NDArray[np.float64], *, unbiased: bool = False
) -> float:
    """2 E|a - b| - E|a - a'| - E|b - b'| of two sets of points (Székely and Rizzo, 2013).

    Distances are root mean squares over the F coordinates.

    Parameters
    ----------
    a, b
        (n, F) and (m, F).
    unbiased
        Leave out the distance of each point to itself, without which sets of different sizes can
        be compared: two samples of one distribution are then at 0 on average, and may be below.
        Else the result is never below 0, and larger the fewer points there are.
    """
    across = float(_distances(a, b).mean())
    within = [
        _distances(one, one).sum() / (len(one) * max(len(one) - unbiased, 1)) for one in (a, b)
    ]
    distance = 2 * across - float(sum(within))
    return distance if unbiased else max(distance, 0.0)


def _distances(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    distances: NDArray[np.float64] = np.sqrt(((a[:, None] - b[None]) ** 2).mean(axis=2))
    return distances
