"""A NIfTI volume in memory: voxels, affine and voxel size."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import DTypeLike, NDArray

# What reading a file raises that is no image, or a broken one: its header, and its voxels.
HEADER_ERRORS = (
    *(HeaderDataError, ImageFileError, WrapStructError),
    *(ValueError, LookupError, ArithmeticError, OSError, EOFError),
)
VOXEL_ERRORS = (OSError, EOFError, ValueError, ArithmeticError, MemoryError, zlib.error)
# Header fields that place an image in space; all else describes its values.
_GEOMETRY_FIELDS = (
    *("pixdim", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d"),
    *("qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z", "xyzt_units"),
)


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels of an image, (X, Y, Z), with what places them in the world."""

    data: NDArray[np.float32]
    affine: NDArray[np.float64]
    spacing: tuple[float, float, float]  # mm along the array's axes

    @classmethod
    def of(cls, image: nib.Nifti1Image) -> Volume:
        """Voxels of an image as float32."""
        x, y, z = (float(size) for size in nib.affines.voxel_sizes(image.affine))
        return cls(np.asanyarray(image.dataobj, dtype=np.float32), image.affine, (x, y, z))

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Voxels above zero."""
        return self.data > 0

    def with_data(self, data: NDArray[Any]) -> nib.Nifti1Image:
        """Make an image of other voxels on the same grid."""
        return nib.Nifti1Image(data, self.affine)


def template_image(data: NDArray[Any], affine: NDArray[np.float64]) -> nib.Nifti1Image:
    """Make an image on the template's grid: both forms say so (code 4, MNI), lengths are in mm."""
    image = nib.Nifti1Image(data, affine)
    image.set_qform(affine, "mni")
    image.set_sform(affine, "mni")
    image.header.set_xyzt_units("mm")
    return image


def load_nifti(path: Path) -> nib.Nifti1Image:
    """Open a NIfTI file; voxels are read when they are asked for."""
    return nib.Nifti1Image.from_filename(path)


def load_volume(path: Path) -> Volume:
    """Read an image's voxels as float32."""
    return Volume.of(load_nifti(path))


def like_native(
    data: NDArray[Any], reference: nib.Nifti1Image, dtype: DTypeLike
) -> nib.Nifti1Image:
    """Make an image that lies exactly where another one does.

    Parameters
    ----------
    data
        Values, of the reference's shape (X, Y, Z).
    reference
        Its affine, qform, sform, both codes, voxel sizes and units are copied bit by bit.
    dtype
        Data type on disk.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    shape = tuple(reference.shape[:3])
    if data.shape != shape:
        msg = f"Values of shape {data.shape} do not fit on a grid of shape {shape}."
        raise ValueError(msg)
    header = nib.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    for field in _GEOMETRY_FIELDS:
        header[field] = reference.header[field]
    # Time and further axes of the reference are no business of a 3-D image.
    header["pixdim"][4:] = 0
    header.set_xyzt_units(xyz=reference.header.get_xyzt_units()[0])
    # Given another affine than the header's, be it by rounding, nibabel would reset the codes.
    return nib.Nifti1Image(data.astype(dtype, copy=False), header.get_best_affine(), header)


def hash_values(image: nib.Nifti1Image) -> str:
    """Hash of an image's grid and values, whatever its file is called and however compressed."""
    values = np.ascontiguousarray(np.asanyarray(image.dataobj, dtype=np.float32))
    digest = hashlib.sha256(repr(values.shape).encode())
    digest.update(values.data)
    return digest.hexdigest()[:16]
