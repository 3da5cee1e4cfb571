"""Writers of the output dataset: each file is whole or absent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthtumour_bids.bids.description import (
    check_output_dir,
    check_writable,
    write_dataset_description,
)
from synthtumour_bids.bids.files import copy_file, replacing, write_json, write_text, write_tsv
from synthtumour_bids.bids.names import IMAGE_EXTENSIONS
from synthtumour_bids.errors import UsageError
from synthtumour_bids.settings import Settings

__all__ = [
    "check_folders",
    "check_output_dir",
    "check_work_dir",
    "copy_file",
    "like_native",
    "sidecar_path",
    "write_dataset_description",
    "write_image",
    "write_json",
    "write_text",
    "write_tsv",
]

if TYPE_CHECKING:
    import nibabel as nib
    import numpy.typing as npt

# Header fields that place an image in space; all else describes its values.
_GEOMETRY_FIELDS = (
    *("pixdim", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d"),
    *("qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z", "xyzt_units"),
)


def check_folders(settings: Settings) -> None:
    """Refuse an output folder or a work folder that a run cannot or must not write to.

    Raises
    ------
    UsageError
        As ``check_output_dir`` does, for each dataset of the run, and ``check_work_dir``.
    """
    annotated = () if settings.annotated_dir is None else (settings.annotated_dir,)
    for dataset in (settings.bids_dir, *settings.tumourfree_dir, *annotated):
        check_output_dir(settings.output_dir, dataset)
    check_work_dir(settings.work_dir)


def check_work_dir(work_dir: Path) -> None:
    """Refuse a work folder that cannot be written to; nothing is created.

    Raises
    ------
    UsageError
        With what the system says.
    """
    try:
        check_writable(work_dir.resolve(), work_dir)
    except (UsageError, OSError) as error:
        msg = (
            f"The work folder {work_dir} (--work-dir) cannot be written to "
            f"({error.__cause__ or error}): name another one, or leave the flag out to use "
            "OUTPUT_DIR/work."
        )
        raise UsageError(msg) from error


def write_image(path: Path, image: nib.Nifti1Image, sidecar: Mapping[str, Any]) -> None:
    """Write an image and the JSON file beside it.

    The sidecar comes last: where it is, the image is whole and belongs to it.

    Parameters
    ----------
    path
        Ends in ``.nii.gz`` or ``.nii``.
    image
        As to be written; its data type is kept.
    sidecar
        Metadata; an empty one is written, too.
    """
    import nibabel as nib

    description = sidecar_path(path)
    description.unlink(missing_ok=True)
    with replacing(path) as temporary:
        nib.save(image, temporary)
    write_json(description, sidecar)


def sidecar_path(path: Path) -> Path:
    """Path of the JSON file beside an image."""
    for extension in IMAGE_EXTENSIONS:
        if path.name.endswith(extension):
            return path.with_name(path.name.removesuffix(extension) + ".json")
    msg = f"{path.name} is not named like an image: {' or '.join(IMAGE_EXTENSIONS)}."
    raise ValueError(msg)


def like_native(
    data: npt.NDArray[Any], reference: nib.Nifti1Image, dtype: npt.DTypeLike
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
    import nibabel as nib

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
