"""Images of ANTs: from nibabel's RAS world to ITK's LPS world and back."""

from __future__ import annotations

import ants
import nibabel as nib
import numpy as np

from synthtumour_bids.errors import UnusableScanError

# nibabel counts x to the right and y to the front, ITK to the left and to the back.
_RAS_LPS = np.diag([-1.0, -1.0, 1.0])
# ITK knows no sheared grids; header rounding shears by far less than this (sine of an angle).
_SHEAR_TOLERANCE = 0.01


def to_ants(data: np.ndarray, affine: np.ndarray) -> ants.ANTsImage:
    """Give an array a place in the world of ANTs.

    Parameters
    ----------
    data
        Array (X, Y, Z), any numeric type; the image is float32.
    affine
        Voxel to RAS millimetres, 4 by 4.

    Raises
    ------
    UnusableScanError
        When the axes of the grid are not at right angles.
    """
    matrix = _RAS_LPS @ np.asarray(affine, dtype=float)[:3, :3]
    spacing = np.linalg.norm(matrix, axis=0)
    direction = matrix / spacing
    left, _, right = np.linalg.svd(direction)
    orthogonal = left @ right
    shear = float(np.abs(direction - orthogonal).max())
    if shear > _SHEAR_TOLERANCE:
        raise UnusableScanError(
            "The image's affine should have axes at right angles, but they are sheared by "
            f"{np.degrees(np.arcsin(min(shear, 1.0))):.1f} degrees: resample it to an "
            "unsheared grid first."
        )
    origin = _RAS_LPS @ np.asarray(affine, dtype=float)[:3, 3]
    return ants.from_numpy(
        np.ascontiguousarray(data, dtype=np.float32),
        origin=origin.tolist(),
        spacing=spacing.tolist(),
        direction=orthogonal,
    )


def image_to_ants(image: nib.Nifti1Image) -> ants.ANTsImage:
    """Convert a 3-D nibabel image; see :func:`to_ants`."""
    return to_ants(image.get_fdata(dtype=np.float32), image.affine)


def thinned(image: ants.ANTsImage) -> ants.ANTsImage:
    """Keep every second voxel along each axis, the first one included."""
    return ants.from_numpy(
        np.ascontiguousarray(image.numpy()[::2, ::2, ::2]),
        origin=list(image.origin),
        spacing=[2 * size for size in image.spacing],
        direction=image.direction,
    )


def from_ants(image: ants.ANTsImage) -> nib.Nifti1Image:
    """Convert to a nibabel image (RAS) with float32 data of the same voxel order."""
    affine = np.eye(4)
    affine[:3, :3] = _RAS_LPS @ image.direction @ np.diag(image.spacing)
    affine[:3, 3] = _RAS_LPS @ np.asarray(image.origin)
    return nib.Nifti1Image(image.numpy().astype(np.float32), affine)
