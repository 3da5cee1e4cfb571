"""Brain extraction: a head template is registered to the scan and carries its brain over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import ants
import nibabel as nib
import numpy as np
from scipy import ndimage

from synthtumour_bids.preprocessing import alignment, geometry
from synthtumour_bids.preprocessing.bias import correct_bias
from synthtumour_bids.preprocessing.stripped import solid_component, stripped_mask
from synthtumour_bids.preprocessing.templates import HeadTemplate


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
    template: HeadTemplate,
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
        Head to register; see :func:`synthtumour_bids.preprocessing.templates.load_head_template`.
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
    if mode != "force":
        mask = stripped_mask(data, spacing)
        if mask is None and mode == "skip":
            mask = solid_component(data > 0)
        if mask is not None:
            return BrainExtraction(mask, "read off the background", "", True, {}, ())
    mask = _extract_from_head(image, template, work_dir=work_dir, seed=seed, sloppy=sloppy)
    return BrainExtraction(mask, "ANTs N4, affine and SyN", template.name, False, {}, ())


def head_mask(data: np.ndarray) -> np.ndarray:
    """Head against air: Otsu's threshold on the lower intensities, largest part, filled."""
    positive = data[data > 0]
    threshold = 0.25 * float(np.percentile(positive, 75)) if positive.size else 0.0
    return solid_component(ndimage.binary_opening(data > threshold))


def _extract_from_head(
    image: nib.Nifti1Image, template: HeadTemplate, *, work_dir: Path, seed: int, sloppy: bool
) -> np.ndarray:
    settings = alignment.load_settings("head")
    spacing = float(settings["spacing"]) * (2 if sloppy else 1)
    shape, affine = geometry.isotropic_grid(image.shape, image.affine, spacing)
    data = np.maximum(image.get_fdata(dtype=np.float32), 0)
    coarse = geometry.resample(data, image.affine, shape, affine)
    head = head_mask(coarse)
    box = geometry.bounding_box(head, margin=4)
    coarse, head, affine = coarse[box], head[box], geometry.cropped_affine(affine, box)
    corrected = correct_bias(nib.Nifti1Image(coarse, affine), head, sloppy=sloppy)
    corrected = np.minimum(corrected, np.percentile(corrected, 99.5))

    fixed = geometry.to_ants(corrected, affine)
    moving = geometry.image_to_ants(template.head)
    with alignment.scratch(work_dir) as folder:
        transforms = alignment.run_stages(
            fixed, moving, settings["stages"], folder=folder, seed=seed
        )
        brain = ants.apply_transforms(
            fixed, geometry.image_to_ants(template.brain), transforms, interpolator="linear"
        ).numpy()
    native = geometry.resample(brain, affine, image.shape, image.affine, outside=None)
    return solid_component(native > 0.5)
