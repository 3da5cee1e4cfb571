"""The border of a segmentation, moved to where the scan itself shows it.

A network that has learned from drawn tumours knows well where a tumour is, and less well where
real ones end: it takes a rim of normal brain along with bright ones. The scan tells. Tumour and
normal brain have their own brightness on either side of the border, and what the network says
(prior odds) is put together with which of the two a voxel resembles (likelihood ratio). No truth
is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .brain import Brain
from .filters import SHORT, gaussian, in_voxels, margin
from .geometry import Mask, box_of, core, near

THRESHOLD = 0.5  # probability from which the network's voxels count as tumour
LEAST_WEIGHT = 1e-3  # of known voxels in reach, below which there is no local mean


@dataclass(frozen=True)
class Evidence:
    """What of the scan speaks for tumour, and how loudly.

    Attributes
    ----------
    inside_mm, outside_mm
        Voxels at least this deep inside the segmentation show what tumour looks like, those at
        least this far outside what normal brain does.
    reach_mm
        Standard deviation of the Gaussian that local means are taken with.
    blur_mm
        Standard deviation of the Gaussian that the scan is smoothed with before it is judged.
    border
        Brightness at which a voxel speaks for neither: 0 as normal brain, 1 as tumour. Nearer to
        normal brain than the middle, as tumours vary more (at 1.5 times the spread, 0.4).
    limit
        Log odds that evidence can add or take at most, so that a dark cyst amid a tumour or a
        bright vessel far from it does not outvote the network.
    """

    inside_mm: float = 2.0
    outside_mm: float = 6.0
    reach_mm: float = 12.0
    blur_mm: float = 1.4
    border: float = 0.4
    limit: float = 3.0


def refine_borders(
    probability: NDArray[np.floating[Any]], scan: Brain, evidence: Evidence | None = None
) -> NDArray[np.float32]:
    """Put the network's probability together with the scan's brightness.

    The log likelihood ratio of a voxel is that of two Gaussians of equal spread, c (x - b c): x
    its brightness and c that of the tumour around, both above (or, in dark tumours, below) the
    normal brain around and in standard deviations of normal brain; b is `Evidence.border`.
    Where contrast is weak, so is the evidence.

    Parameters
    ----------
    probability
        Of tumour, by the network, (X, Y, Z), in [0, 1].
    scan
        The scan it was made from, on the same grid.
    evidence
        How to weigh; the defaults of :class:`Evidence` when left out.

    Returns
    -------
    ndarray of float32
        (X, Y, Z), in [0, 1]. Unchanged where no more than `Evidence.limit` could matter, outside
        the brain, and where the segmentation has no inside (lesions of a voxel or two).

    Raises
    ------
    ValueError
        If the probability is on another grid.
    """
    how = evidence or Evidence()
    image, brain, spacing = scan.image, scan.mask, scan.spacing
    if probability.shape != image.shape:
        raise ValueError(
            f"Probability, {probability.shape}, and scan, {image.shape}, differ in grid."
        )
    out = np.array(probability, dtype=np.float32)
    tumour = (out >= THRESHOLD) & brain
    target = box_of(brain & (out > special.expit(-how.limit)))
    if target.empty or not tumour.any():
        return out
    sigma = in_voxels(how.reach_mm, spacing)
    source = target.grown(margin(sigma, SHORT), out.shape)
    around = source.slices
    inside = core(tumour, how.inside_mm, spacing)[around]
    outside = (brain & ~near(tumour, how.outside_mm, spacing))[around]
    normal = image[brain & ~tumour].astype(np.float64)
    if not inside.any() or not normal.size:
        return out
    middle = float(np.median(normal))
    spread = 1.4826 * float(np.median(np.abs(normal - middle))) + 1e-8
    sign = 1.0 if float(image[around][inside].mean()) >= middle else -1.0
    z = (sign / spread * (image[around] - middle)).astype(np.float32)

    def local_mean(where: Mask, sigma_mm: float) -> tuple[NDArray[np.float32], Mask]:
        """Mean of `z` over some voxels, over `target`, and where there is any in reach."""
        width = in_voxels(sigma_mm, spacing)
        weight = gaussian(where.astype(np.float32), source, target, width, SHORT)
        known = weight > LEAST_WEIGHT
        total = gaussian(z * where, source, target, width, SHORT)
        return np.divide(total, weight, out=np.zeros_like(total), where=known), known

    tumour_z, known = local_mean(inside, how.reach_mm)
    normal_z, _ = local_mean(outside, how.reach_mm)  # 0, the median, where there is none
    here, _ = local_mean(brain[around], how.blur_mm)
    contrast = np.maximum(tumour_z - normal_z, 0)
    ratio = contrast * (here - normal_z - how.border * contrast)
    ratio = np.clip(ratio, -how.limit, how.limit) * (known & brain[target.slices])
    odds = special.logit(np.clip(out[target.slices].astype(np.float64), 1e-7, 1 - 1e-7))
    changed = special.expit(odds + ratio)
    out[target.slices] = np.where(ratio != 0, changed, out[target.slices])
    return out
