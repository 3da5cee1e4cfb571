"""A scan as a value: contrasts, tumour classes and brain on one grid, on a common intensity scale.

Tumour-free hosts, annotated scans, coarse and refined samples are all of this one kind. Lengths
are mm along the array's axes; the grid is the template's, whose first axis is left-right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...errors import UnusableScanError
from ..geometry import Mask, MaskLike, Numbers, Spacing, box_of, triple

HALO_MM = 4.0  # normal brain this near to a lesion is left out of the statistics
MIN_NORMAL = 100  # voxels of normal brain needed to measure its brightness
IQR_PER_SD = 1.349  # of a normal distribution


@dataclass(frozen=True)
class Scale:
    """Median and robust standard deviation of normal brain, one per contrast."""

    centre: tuple[float, ...]
    spread: tuple[float, ...]

    def apply(self, images: Numbers, brain: Mask) -> NDArray[np.float32]:
        """Bring images to the common scale, zero outside the brain.

        Parameters
        ----------
        images
            (C, X, Y, Z), the scan's own scale.
        brain
            (X, Y, Z).
        """
        centre, spread = self._columns()
        return np.where(brain, (images - centre) / spread, 0).astype(np.float32)

    def undo(self, images: Numbers, brain: Mask) -> NDArray[np.float32]:
        """Bring images from the common scale back, zero outside the brain.

        Parameters
        ----------
        images
            (C, X, Y, Z), the common scale.
        brain
            (X, Y, Z).
        """
        centre, spread = self._columns()
        return np.where(brain, images * spread + centre, 0).astype(np.float32)

    def _columns(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        centre, spread = (np.array(v, np.float32) for v in (self.centre, self.spread))
        return centre[:, None, None, None], spread[:, None, None, None]


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Contrasts, (C, X, Y, Z), and tumour classes, (X, Y, Z), on one grid."""

    images: NDArray[np.float32]
    classes: NDArray[np.uint8]

    @property
    def contrasts(self) -> int:
        """How many contrasts it has."""
        return int(self.images.shape[0])


@dataclass(frozen=True, eq=False)
class BrainScan(LabelledImages):
    """One scan.

    Attributes
    ----------
    images
        float32, (C, X, Y, Z): normal brain has median 0 and spread 1, outside the brain is 0.
        May be a memory map.
    classes
        uint8, (X, Y, Z): 0 where there is no tumour, 1 … for its classes; inside the brain only.
    brain
        bool, (X, Y, Z).
    spacing
        Voxel size along the array's axes, mm.
    source
        Which scan it is, for error sentences and provenance.
    """

    brain: NDArray[np.bool_]
    spacing: Spacing
    source: str

    @property
    def grid(self) -> tuple[int, int, int]:
        """Voxels along each axis."""
        return triple(self.brain.shape)

    def with_voxels(self, images: NDArray[np.float32], classes: NDArray[np.uint8]) -> BrainScan:
        """Return the same brain with other contents.

        Parameters
        ----------
        images
            (C, X, Y, Z), on the common scale.
        classes
            (X, Y, Z).
        """
        return replace(self, images=images, classes=classes)


def make_scan(
    images: Numbers | Sequence[Numbers],
    brain: MaskLike,
    spacing: Spacing,
    source: str,
    classes: Numbers | None = None,
) -> tuple[BrainScan, Scale]:
    """Normalise a scan inside its brain, the surroundings of its lesions left out of the measure.

    Parameters
    ----------
    images
        (C, X, Y, Z), or one (X, Y, Z) array per contrast, any scale.
    brain
        Mask, (X, Y, Z), above 0 in the brain.
    spacing
        Voxel size along the array's axes, mm.
    source
        Name of the scan.
    classes
        Annotation, (X, Y, Z), whole numbers from 0 to 255; None for a tumour-free scan.

    Returns
    -------
    BrainScan
        What lies outside the brain is cut off, annotation included.
    Scale
        Brings voxels back to the scan's own scale.

    Raises
    ------
    UnusableScanError
        If the arrays do not share a grid, or the annotation holds something else than classes.
    """
    stack = np.stack([np.asarray(image) for image in images]) if len(images) else np.empty(0)
    inside = np.asarray(brain) > 0
    labels = np.zeros(inside.shape, np.uint8) if classes is None else np.asarray(classes)
    if stack.ndim != 4 or inside.shape != stack.shape[1:] or labels.shape != inside.shape:
        raise UnusableScanError(
            f"Contrasts, brain mask and annotation of {source} must share one 3-D grid; their "
            f"shapes are {stack.shape[1:]}, {inside.shape} and {labels.shape}."
        )
    if labels.min() < 0 or labels.max() > 255 or np.any(labels != np.round(labels)):
        raise UnusableScanError(
            f"The annotation of {source} must hold whole class numbers from 0 to 255; found values "
            f"from {labels.min():g} to {labels.max():g}."
        )
    annotated = np.where(inside, labels, 0).astype(np.uint8)
    scale = measure(stack, inside, annotated > 0, spacing)
    return BrainScan(scale.apply(stack, inside), annotated, inside, spacing, source), scale


def on_own_scale(
    made: BrainScan, host: BrainScan, raw: Numbers, scale: Scale
) -> NDArray[np.float32]:
    """Bring a sample to its host's own scale.

    Parameters
    ----------
    made, host
        The sample, and what it was made from.
    raw
        The host's images before normalisation, (C, X, Y, Z).
    scale
        The host's.

    Returns
    -------
    ndarray of float32
        (C, X, Y, Z); voxels that were not changed are those of `raw`.
    """
    changed = made.images != host.images
    return np.where(changed, scale.undo(made.images, made.brain), raw).astype(np.float32)


def measure(images: Numbers, brain: Mask, lesion: Mask, spacing: Spacing) -> Scale:
    """Measure median and spread of normal brain in each contrast.

    Median and quartiles rather than mean and deviation: neither what is left of oedema
    beyond the annotation nor bright vessels should move the scale.

    Parameters
    ----------
    images
        (C, X, Y, Z), any scale.
    brain, lesion
        Masks, (X, Y, Z).
    spacing
        Voxel size, mm.
    """
    normal = brain & ~_around(lesion, spacing)
    if np.count_nonzero(normal) < MIN_NORMAL:
        normal = brain
    if not normal.any():
        return Scale((0.0,) * len(images), (1.0,) * len(images))
    low, middle, high = np.percentile(images[:, normal], (25, 50, 75), axis=1)
    spread = np.maximum((high - low) / IQR_PER_SD, 1e-6)
    return Scale(tuple(middle.tolist()), tuple(spread.tolist()))


def _around(lesion: Mask, spacing: Spacing) -> Mask:
    """Lesion and what lies within `HALO_MM` of it."""
    out = np.array(lesion, dtype=bool)
    tight = box_of(out)
    if not tight.empty:
        box = tight.grown(triple(int(np.ceil(HALO_MM / s)) for s in spacing), out.shape)
        distance = ndimage.distance_transform_edt(~out[box.slices], sampling=spacing)
        out[box.slices] = distance <= HALO_MM
    return out
