"""Rigid alignment of another contrast of a head to its scan."""

from __future__ import annotations

from pathlib import Path

import ants
import nibabel as nib
import numpy as np

from synthtumour_bids.preprocessing import alignment, ants_images


def align_rigidly(
    image: nib.Nifti1Image,
    scan: nib.Nifti1Image,
    where: nib.Nifti1Image,
    *,
    folder: Path,
    seed: int,
    sloppy: bool = False,
) -> tuple[list[str], float]:
    """Find the rigid transform that lays an image of the same head on a scan.

    The headers of one session mostly agree, so the search starts from them and, should they not,
    from the centres of mass. What the headers tell is kept where no search finds better.

    Parameters
    ----------
    image, scan
        3-D, of one head.
    where
        Mask on the scan's grid of what is compared, such as the brain.
    folder
        Where the transform files go.
    seed
        Fixes the random sampling.
    sloppy
        Coarser and faster.

    Returns
    -------
    to_scan, information
        Transform files from the image to the scan, and the mutual information of both within the
        mask: 0 and up, more is better.
    """
    settings = alignment.load_settings("rigid_contrast")
    spacing = float(settings["spacing"]) * (2 if sloppy else 1)
    fixed, moving = (alignment.on_coarse_grid(one, spacing) for one in (scan, image))
    mask = ants.resample_image_to_target(
        ants_images.image_to_ants(where), fixed, interp_type="nearestNeighbor"
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

    scores = [fit(transforms) for transforms in candidates]
    best = int(np.argmax(scores))
    return candidates[best], scores[best]


def write_inverse(transform: Path, path: Path) -> None:
    """Write the inverse of an affine transform file (ITK's ``.mat``)."""
    ants.write_transform(ants.read_transform(str(transform)).invert(), str(path))
