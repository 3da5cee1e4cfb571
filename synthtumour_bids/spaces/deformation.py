"""Deformable registration of a brain with a lesion to a standard brain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import ants
import nibabel as nib
import SimpleITK as sitk

from synthtumour_bids.preprocessing import alignment, ants_images


@dataclass(frozen=True)
class Deformation:
    """A way to a standard brain that bends the scan's.

    Attributes
    ----------
    to_standard, to_scan
        ITK's composite transforms, for images: affine and field of displacements in one.
    jacobian
        Smallest and largest local change of volume in the standard brain: at 0 and below, space
        is folded.
    information
        Mutual information of both brains outside the lesion.
    """

    to_standard: sitk.Transform
    to_scan: sitk.Transform
    jacobian: tuple[float, float]
    information: float


def deform(
    brain: nib.Nifti1Image,
    lesion: nib.Nifti1Image,
    affine: Path,
    standard: nib.Nifti1Image,
    *,
    folder: Path,
    seed: int,
    sloppy: bool = False,
) -> Deformation:
    """Bend a scan's brain into a standard one; the lesion has no say (cost-function masking).

    A lesion has no counterpart in the standard brain: what would be made to resemble it is bent
    at will. Where it lies, the field follows from its surroundings alone (Brett et al. 2001).

    Parameters
    ----------
    brain
        The scan, 0 outside the brain.
    lesion
        On the scan's grid, above 0 where there is a lesion.
    affine
        Transform file, scan to standard, to start from.
    standard
        The standard brain, 0 outside.
    folder
        For transform files, which are read before it goes.
    seed
        Fixes the random sampling.
    sloppy
        On a grid twice as coarse.
    """
    settings = alignment.load_settings("deformable")
    spacing = float(settings["spacing"]) * (2 if sloppy else 1)
    fixed, moving = (alignment.on_coarse_grid(one, spacing) for one in (standard, brain))
    there = ants.apply_transforms(
        fixed, ants_images.image_to_ants(lesion), [str(affine)], interpolator="linear"
    ).numpy()
    inside = fixed.numpy() > 0.05 * float(fixed.max())
    counts = ants_images.from_ants(fixed)
    mask = ants_images.to_ants(inside & (there < 0.1), counts.affine)
    forward, inverse = alignment.run_stages(
        fixed,
        moving,
        settings["stages"],
        folder=folder,
        seed=seed,
        initial=[str(affine)],
        mask=mask,
    )
    warp = next(path for path in forward if path.endswith(".nii.gz"))
    jacobian = ants.create_jacobian_determinant_image(fixed, warp).numpy()[inside]
    moved = ants.apply_transforms(fixed, moving, forward)
    return Deformation(
        _composite(forward, inverted=False),
        _composite(inverse, inverted=True),
        (float(jacobian.min()), float(jacobian.max())),
        alignment.similarity_score(fixed, moved, mask),
    )


def _composite(files: list[str], *, inverted: bool) -> sitk.Transform:
    """Put transform files into one, in ANTs' order: of a point, the first one comes first.

    Affine ones among those of an inverse have to be inverted.
    """
    parts = []
    for name in files:
        if name.endswith(".mat"):
            transform = sitk.ReadTransform(name)
            parts.append(transform.GetInverse() if inverted else transform)
        else:
            field = sitk.ReadImage(name, sitk.sitkVectorFloat64)
            parts.append(sitk.DisplacementFieldTransform(field))
    return sitk.CompositeTransform(list(reversed(parts)))  # ITK applies the last one first
