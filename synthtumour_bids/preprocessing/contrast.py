"""Another contrast of a scan's session: aligned to the scan and brought along to the template."""

from __future__ import annotations

from pathlib import Path

import ants
import nibabel as nib
import numpy as np

from synthtumour_bids.preprocessing import alignment, ants_images, geometry
from synthtumour_bids.preprocessing.bias import correct_bias
from synthtumour_bids.preprocessing.registration import Preprocessed
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
    scan_brain = ants_images.image_to_ants(scan.native_mask)
    grid = ants_images.image_to_ants(scan.standard_mask)
    with alignment.scratch(work_dir) as folder:
        to_scan = _align(image, scan, folder, seed, sloppy=sloppy)
        brain = ants.apply_transforms(
            native, scan_brain, to_scan, whichtoinvert=[True], interpolator="linear"
        )
        corrected = correct_bias(image, brain.numpy() >= 0.5, sloppy=sloppy)
        moved = ants.apply_transforms(
            grid,
            ants_images.to_ants(corrected, image.affine),
            [str(scan.transform), *to_scan],
            interpolator="bSpline",
        ).numpy()
    inside = np.asanyarray(scan.standard_mask.dataobj) > 0
    # Zero is kept for what lies outside of the brain.
    values = np.clip(moved, np.finfo(np.float32).tiny, float(corrected.max()))
    return template_image(np.where(inside, values, 0).astype(np.float32), scan.standard_mask.affine)


def _align(
    image: nib.Nifti1Image, scan: Preprocessed, folder: Path, seed: int, *, sloppy: bool
) -> list[str]:
    """Rigid transform to the scan.

    The headers of one session mostly agree, so the search starts from them and, should they not,
    from the centres of mass. What the headers tell is kept where no search finds better.
    """
    settings = alignment.load_settings("rigid_contrast")
    spacing = float(settings["spacing"]) * (2 if sloppy else 1)
    fixed, moving = (_coarser(one, spacing) for one in (scan.native, image))
    mask = ants.resample_image_to_target(
        ants_images.image_to_ants(scan.native_mask), fixed, interp_type="nearestNeighbor"
    )
    identity = folder / "identity.mat"
    ants.write_transform(ants.create_ants_transform("AffineTransform", dimension=3), str(identity))
    candidates = [[str(identity)]]
    for initial in ([str(identity)], []):
        forward, _ = alignment.run_stages(
            fixed, moving, [settings["rigid"]], folder=folder, seed=seed, initial=initial, mask=mask
        )
        candidates.append(forward)

    def fit(transforms: list[str]) -> float:
        moved = ants.apply_transforms(fixed, moving, transforms)
        return alignment.similarity_score(fixed, moved, mask)

    return max(candidates, key=fit)


def _coarser(image: nib.Nifti1Image, spacing: float) -> ants.ANTsImage:
    shape, affine = geometry.isotropic_grid(image.shape, image.affine, spacing)
    data = image.get_fdata(dtype=np.float32)
    return ants_images.to_ants(geometry.resample(data, image.affine, shape, affine), affine)
