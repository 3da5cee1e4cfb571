"""Brain extraction: a head template is registered to the scan and carries its brain over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from synthtumour_bids.preprocessing import alignment, geometry, quality
from synthtumour_bids.preprocessing.bias import correct_bias, non_negative
from synthtumour_bids.preprocessing.head_registration import carry_brain
from synthtumour_bids.preprocessing.stripped import solid_component, stripped_mask
from synthtumour_bids.preprocessing.templates import HeadTemplate

_STRIPPED = "mask read off the background of the already stripped scan"
_EXTRACTED = "N4, affine and SyN registration of a head template with mutual information (ANTs)"
# Voxel size in mm that heads are registered at.
_SPACING, _SPACING_SLOPPY = 2.0, 4.0
# Air is darker than this part of the upper quartile of the signal.
_AIR_LEVEL = 0.25


@dataclass(frozen=True)
class BrainExtraction:
    """The brain of one scan.

    Attributes
    ----------
    mask
        Brain with its fluid, bool (X, Y, Z) on the scan's grid.
    method
        One sentence on how it was found.
    template
        Name of the head template, empty when none was needed.
    already_stripped
        Whether the scan came without skull.
    qc
        Figures that speak of the mask's quality.
    flags
        What is suspicious about it, e.g. ``"brain_volume_low"``.
    """

    mask: np.ndarray
    method: str
    template: str
    already_stripped: bool
    qc: Mapping[str, float]
    flags: tuple[str, ...]


def extract_brain(
    image: nib.Nifti1Image,
    template: Callable[[], HeadTemplate],
    *,
    mode: str = "auto",
    work_dir: Path,
    seed: int,
    sloppy: bool = False,
) -> BrainExtraction:
    """Find the brain in a scan.

    Parameters
    ----------
    image
        3-D scan, with or without skull.
    template
        Loads the head to register, where one is needed; see
        :func:`synthtumour_bids.preprocessing.templates.load_head_template`.
    mode
        ``"auto"`` takes the mask of an already stripped scan from its background, ``"force"``
        extracts whatever the scan looks like, ``"skip"`` takes every scan as stripped.
    work_dir
        Folder for temporary files; nothing is left in it.
    seed
        Fixes the registration's random sampling.
    sloppy
        Coarser and faster, for trying out.
    """
    data = image.get_fdata(dtype=np.float32)
    spacing = geometry.voxel_sizes(image.affine)
    mask = stripped_mask(data, spacing) if mode != "force" else None
    if mask is None and mode == "skip":
        mask = head_mask(non_negative(data))
    stripped = mask is not None
    figures, name = {}, ""
    if mask is None:
        head = template()
        mask, score = _extract(image, head, work_dir=work_dir, seed=seed, sloppy=sloppy)
        figures["extraction_information"], name = score, head.name
    qc = {**quality.mask_quality(mask, spacing), **figures}
    return BrainExtraction(
        mask=mask,
        method=_STRIPPED if stripped else _EXTRACTED,
        template=name,
        already_stripped=stripped,
        qc=qc,
        flags=quality.flags(qc),
    )


def head_mask(data: np.ndarray) -> np.ndarray:
    """Tell the head (or the brain of a stripped scan) from the air; bool (X, Y, Z)."""
    positive = data[data > 0]
    threshold = _AIR_LEVEL * float(np.percentile(positive, 75)) if positive.size else 0.0
    return solid_component(ndimage.binary_opening(data > threshold))


def _extract(
    image: nib.Nifti1Image, template: HeadTemplate, *, work_dir: Path, seed: int, sloppy: bool
) -> tuple[np.ndarray, float]:
    spacing = _SPACING_SLOPPY if sloppy else _SPACING
    canonical = nib.as_closest_canonical(image)
    shape, affine = geometry.isotropic_grid(canonical.shape, canonical.affine, spacing)
    coarse = geometry.resample(
        non_negative(image.get_fdata(dtype=np.float32)), image.affine, shape, affine
    )
    inside = head_mask(coarse)
    if not inside.any():
        return np.zeros(image.shape, dtype=bool), 0.0
    box = geometry.bounding_box(inside, margin=round(8 / spacing))
    coarse, inside = coarse[box], inside[box]
    affine = geometry.cropped_affine(affine, box)
    corrected = correct_bias(nib.Nifti1Image(coarse, affine), inside, sloppy=sloppy)
    with alignment.scratch(work_dir) as folder:
        probability, score = carry_brain(
            corrected, inside, affine, template, folder=folder, seed=seed, sloppy=sloppy
        )
    native = geometry.resample(probability, affine, image.shape, image.affine, outside=None)
    return solid_component(native > 0.5), score
