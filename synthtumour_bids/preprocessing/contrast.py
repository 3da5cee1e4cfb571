"""Another contrast of a scan's session: aligned to the scan and brought along to the template."""

from __future__ import annotations

from pathlib import Path

import ants
import nibabel as nib
import numpy as np

from synthtumour_bids.preprocessing import alignment, ants_images, geometry
from synthtumour_bids.preprocessing.bias import correct_bias
from synthtumour_bids.preprocessing.registration import SPLINE_REACH, Preprocessed
from synthtumour_bids.preprocessing.rigid import align_rigidly
from synthtumour_bids.volumes import template_image


def bring_along(
    image: nib.Nifti1Image,
    scan: Preprocessed,
    *,
    work_dir: Path,
    seed: int,
    sloppy: bool = False,
) -> nib.Nifti1Image:
    """Align a contrast to the scan, correct its shading and resample it once.

    Parameters
    ----------
    image
        3-D image of the same head and session.
    scan
        What became of the scan: its brain and its way to the template are used.
    work_dir
        For temporary files, which are removed.
    seed
        Fixes the registration's random sampling.
    sloppy
        Coarser and faster.

    Returns
    -------
    On the template grid, float32, zero outside the brain.
    """
    native = ants_images.image_to_ants(image)
    mask = np.asanyarray(scan.native_mask.dataobj)
    box = geometry.bounding_box(mask, margin=1)
    scan_brain = ants_images.to_ants(
        mask[box], geometry.cropped_affine(scan.native_mask.affine, box)
    )
    grid = ants_images.image_to_ants(scan.standard_mask)
    with alignment.scratch(work_dir) as folder:
        to_scan, _ = align_rigidly(
            image, scan.native, scan.native_mask, folder=folder, seed=seed, sloppy=sloppy
        )
        brain = ants.apply_transforms(
            native, scan_brain, to_scan, whichtoinvert=[True], interpolator="linear"
        )
        there = brain.numpy() >= 0.5
        corrected = correct_bias(image, there, sloppy=sloppy)
        around = geometry.bounding_box(there, margin=SPLINE_REACH)
        moved = ants.apply_transforms(
            grid,
            ants_images.to_ants(corrected[around], geometry.cropped_affine(image.affine, around)),
            [str(scan.transform), *to_scan],
            interpolator="bSpline",
        ).numpy()
    inside = np.asanyarray(scan.standard_mask.dataobj) > 0
    # Zero is kept for what lies outside of the brain.
    values = np.clip(moved, np.finfo(np.float32).tiny, float(corrected.max()))
    return template_image(np.where(inside, values, 0).astype(np.float32), scan.standard_mask.affine)
