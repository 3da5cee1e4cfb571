"""Images on another grid: any number of transforms are composed, and the image resampled once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import ants
import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.execution.temporary import safe_alias
from synthtumour_bids.preprocessing import ants_images, geometry


@dataclass(frozen=True)
class Leg:
    """One transform of a way from image to image.

    Attributes
    ----------
    file
        ITK's: an affine ``.mat`` or a field of displacements ``.nii.gz``.
    inverted
        Whether the affine one is gone backwards.
    """

    file: Path
    inverted: bool = False


def carry(
    image: nib.Nifti1Image, reference: nib.Nifti1Image, way: Sequence[Leg]
) -> NDArray[np.float32]:
    """Bring an image to another grid (linear).

    Parameters
    ----------
    image
        Values, 3-D.
    reference
        Any image on the grid to sample on; where its voxels are larger than the image's, these are
        averaged.
    way
        From the image to the reference, in the order in which they are gone.

    Returns
    -------
    float32, the reference's shape and voxel order; 0 outside the image.
    """
    values = geometry.averaged(
        image.get_fdata(dtype=np.float32), image.affine, np.asarray(reference.affine)
    )
    # The grid alone counts of the reference.
    grid = ants_images.to_ants(np.zeros(reference.shape[:3], np.float32), reference.affine)
    with ExitStack() as stack:
        folders = {leg.file.parent: stack.enter_context(safe_alias(leg.file.parent)) for leg in way}
        backwards = list(reversed(way))  # ANTs names the last one first
        moved = ants.apply_transforms(
            grid,
            ants_images.to_ants(values, image.affine),
            [str(folders[leg.file.parent] / leg.file.name) for leg in backwards],
            whichtoinvert=[leg.inverted for leg in backwards],
            interpolator="linear",
        )
    found: NDArray[np.float32] = moved.numpy().astype(np.float32)
    return found
