"""CarveMix, the baseline: a randomly shrunk or grown lesion carved into another scan, same place.

Written from the published description (Zhang et al., 2021 and 2023): distances are in mm, the
carved region is cut at the host's brain, and both scans are on the common scale already, which
stands for the optional harmonisation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from synthtumour_bids.synthesis.fabrication.rims import reach_box
from synthtumour_bids.synthesis.fabrication.scans import BrainScan
from synthtumour_bids.synthesis.geometry import Mask, Spacing, box_of


@dataclass(frozen=True)
class CarveParams:
    """How far the carved region departs from the annotation.

    ``size`` lies in [-1, 1]. With the lesion's greatest depth D in mm, a positive size shrinks
    the region by ``size * D / 2``, a negative one grows it by ``-size * D``.
    """

    size: float


def sample(rng: np.random.Generator) -> CarveParams:
    """Draw a size: 2 Beta(1, 1) - 1, which is uniform on [-1, 1]."""
    return CarveParams(float(2 * rng.beta(1, 1) - 1))


def render(host: BrainScan, donor: BrainScan, params: CarveParams) -> BrainScan:
    """Carve the donor's lesion into the host; the host may have lesions of its own.

    Raises
    ------
    ValueError
        If the scans do not share grid and contrasts.
    """
    if host.images.shape != donor.images.shape or host.spacing != donor.spacing:
        raise ValueError(
            f"Host and donor must share grid and contrasts; {host.source} has shape "
            f"{host.images.shape}, {donor.source} {donor.images.shape}."
        )
    carved = carved_region(donor.classes > 0, donor.spacing, params) & host.brain & donor.brain
    images = np.array(host.images)
    classes = np.array(host.classes)
    images[:, carved] = donor.images[:, carved]
    classes[carved] = donor.classes[carved]
    return host.with_voxels(images, classes)


def carved_region(lesion: Mask, spacing: Spacing, params: CarveParams) -> Mask:
    """Voxels whose signed distance from the lesion's border is below the drawn threshold."""
    region = np.zeros(lesion.shape, dtype=bool)
    if not lesion.any():
        return region
    tight = box_of(lesion)
    padded = np.pad(lesion[tight.slices], 1)  # the lesion's border counts at the array's end, too
    depth = ndimage.distance_transform_edt(padded, sampling=spacing)[1:-1, 1:-1, 1:-1]
    threshold = -params.size * float(depth.max()) / (2 if params.size > 0 else 1)
    if threshold <= 0:
        region[tight.slices] = depth > -threshold
        return region
    box = reach_box(lesion, spacing, threshold)
    outside = ndimage.distance_transform_edt(~lesion[box.slices], sampling=spacing)
    region[box.slices] = outside < threshold
    return region
