"""Annotated lesions, cut out of their scans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...errors import UnusableScanError
from ..geometry import Mask, Spacing, Triple, triple
from .rims import distance_mm, reach_box
from .scans import BrainScan, LabelledImages

MARGIN_MM = 12.0  # of surroundings that are cut out, too
GAP_MM = 6.0  # foci nearer than this are one lesion
MIN_ML = 0.1  # smaller foci are left aside


@dataclass(frozen=True, eq=False)
class AnnotatedLesion(LabelledImages):
    """One lesion with its surroundings.

    Attributes
    ----------
    images
        float32, (C, X, Y, Z), on the common scale of :mod:`.scans`. What is not `known` repeats
        the nearest known voxel, so that interpolation never mixes background in.
    classes
        uint8, (X, Y, Z): 0 around the lesion, 1 … in it.
    known
        bool, (X, Y, Z): brain, and no other lesion.
    start
        Where the cut-out's first voxel lies on the grid, voxels.
    grid
        Voxels of the whole grid along each axis.
    spacing
        Voxel size, mm.
    source
        Scan it comes from, and which of its lesions it is.
    """

    known: NDArray[np.bool_]
    start: tuple[int, int, int]
    grid: tuple[int, int, int]
    spacing: Spacing
    source: str

    @property
    def scan(self) -> str:
        """Scan it comes from."""
        return self.source.rpartition("#")[0]

    @property
    def volume_ml(self) -> float:
        """Volume of all its classes."""
        return float(np.count_nonzero(self.classes) * np.prod(self.spacing) / 1000)

    @property
    def centre_mm(self) -> Triple:
        """Centre of mass, mm from the grid's first voxel along its axes."""
        inside = np.argwhere(self.classes > 0).mean(axis=0)
        return triple(((inside + self.start) * self.spacing).tolist())


def cut_out(
    scan: BrainScan, margin_mm: float = MARGIN_MM, *, gap_mm: float = GAP_MM, min_ml: float = MIN_ML
) -> tuple[AnnotatedLesion, ...]:
    """Cut the lesions out of an annotated scan.

    Parameters
    ----------
    scan
        On the template grid.
    margin_mm
        Width of the surroundings to keep, mm.
    gap_mm
        Foci with less between them, mm, count as one lesion.
    min_ml
        Foci smaller than this, mL, are left aside, unless there is nothing else.

    Returns
    -------
    tuple of AnnotatedLesion
        The largest first.

    Raises
    ------
    UnusableScanError
        If the annotation is empty.
    """
    whole = scan.classes > 0
    if not whole.any():
        raise UnusableScanError(
            f"No lesion was found in the annotation of {scan.source}: it is empty inside the brain."
        )
    groups = [np.where(group, scan.classes, 0) for group in _foci(whole, scan.spacing, gap_mm)]
    enough = min_ml * 1000 / float(np.prod(scan.spacing))
    kept = [classes for classes in groups if np.count_nonzero(classes) >= enough] or groups[:1]
    return tuple(
        _cut(scan, classes.astype(np.uint8), margin_mm, f"{scan.source}#{number}")
        for number, classes in enumerate(kept)
    )


def pick_lesion(
    rng: np.random.Generator, lesions: Sequence[AnnotatedLesion], volume_ml: float | None = None
) -> AnnotatedLesion:
    """Draw a lesion: any, or rather one near the wanted volume, which then needs little scaling.

    Without a wanted volume, every scan is drawn equally often and its lesions by their volume:
    the satellites of one tumour should not outnumber the tumours of all other scans. With one, each
    lesion weighs exp(-d²/2) with d = log2(its volume / wanted): half or double the volume is about
    as far as scaling looks natural.

    Parameters
    ----------
    rng
        Any generator; :func:`..seeds.stream` gives reproducible ones.
    lesions
        To draw from, of any number of scans.
    volume_ml
        Wanted volume, mL; None for none.

    Raises
    ------
    ValueError
        If there is no lesion.
    """
    if not lesions:
        raise ValueError("There is no annotated lesion to draw from.")
    volumes = np.array([lesion.volume_ml for lesion in lesions])
    if volume_ml is None:
        scans = [lesion.scan for lesion in lesions]
        totals = {scan: volumes[[s == scan for s in scans]].sum() for scan in scans}
        weights = volumes / np.array([totals[scan] for scan in scans])
    else:
        far = np.log2(volumes / volume_ml) ** 2
        weights = np.exp(-0.5 * (far - far.min()))
    return lesions[int(rng.choice(len(lesions), p=weights / weights.sum()))]


def _foci(whole: Mask, spacing: Spacing, gap_mm: float) -> list[Mask]:
    """Masks of the lesions, the largest first; foci nearer than the gap are one."""
    box = reach_box(whole, spacing, gap_mm)
    near = distance_mm(whole[box.slices], spacing) <= gap_mm / 2
    labels, n = ndimage.label(near, structure=np.ones((3, 3, 3)))
    labels = np.where(whole[box.slices], labels, 0)
    sizes = np.bincount(labels.ravel(), minlength=n + 1)[1:]
    masks = []
    for index in np.argsort(-sizes, kind="stable"):
        mask = np.zeros(whole.shape, dtype=bool)
        mask[box.slices] = labels == index + 1
        masks.append(mask)
    return masks


def _cut(
    scan: BrainScan, classes: NDArray[np.uint8], margin_mm: float, source: str
) -> AnnotatedLesion:
    box = reach_box(classes > 0, scan.spacing, margin_mm)
    own = classes[box.slices]
    known = scan.brain[box.slices] & ((scan.classes[box.slices] == 0) | (own > 0))
    nearest = ndimage.distance_transform_edt(
        ~known, sampling=scan.spacing, return_distances=False, return_indices=True
    )
    images = np.asarray(scan.images[(slice(None), *box.slices)])[(slice(None), *nearest)]
    return AnnotatedLesion(
        images=np.ascontiguousarray(images, dtype=np.float32),
        classes=own.copy(),
        known=known,
        start=box.start,
        grid=scan.grid,
        spacing=scan.spacing,
        source=source,
    )
