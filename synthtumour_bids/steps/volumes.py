"""A NIfTI volume in memory: voxels, affine and voxel size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels of an image, (X, Y, Z), with what places them in the world."""

    data: NDArray[np.float32]
    affine: NDArray[np.float64]
    spacing: tuple[float, float, float]  # mm along the array's axes

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Voxels above zero."""
        return self.data > 0

    def with_data(self, data: NDArray) -> nib.Nifti1Image:
        """Make an image of other voxels on the same grid."""
        return nib.Nifti1Image(data, self.affine)


def load_nifti(path: Path) -> nib.Nifti1Image:
    """Open a NIfTI file; voxels are read when they are asked for."""
    return nib.Nifti1Image.from_filename(path)


def load_volume(path: Path) -> Volume:
    """Read an image's voxels as float32."""
    image = load_nifti(path)
    x, y, z = (float(size) for size in nib.affines.voxel_sizes(image.affine))
    return Volume(np.asanyarray(image.dataobj, dtype=np.float32), image.affine, (x, y, z))
