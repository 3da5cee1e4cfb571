"""A DICOM series of one image: found in its folder, placed in the world."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import highdicom as hd
import nibabel as nib
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError

from synthtumour_bids.errors import DataError

TOLERANCE = 0.1  # voxels that a mask's corners may be off: what rounding in headers adds up to
_PERSONAL = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyID", "StudyDate", "StudyTime", "AccessionNumber"),
)
_NEEDED = (
    *("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID"),
    *("FrameOfReferenceUID", "Rows", "Columns"),
)
_PLACE = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
_RAS_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # NIfTI's world to DICOM's


@dataclass(frozen=True, eq=False)
class Series:
    """One image.

    Attributes
    ----------
    datasets
        Its files without pixels: one a slice, or one with all frames.
    geometry
        Its grid, slices first, in DICOM's world (LPS, mm).
    """

    datasets: tuple[pydicom.Dataset, ...]
    geometry: hd.VolumeGeometry


def read_series(folder: Path) -> Series:
    """Read a series.

    Parameters
    ----------
    folder
        With the files of one series, and maybe others that are not DICOM.

    Raises
    ------
    DataError
        When there is no series or more than one, its images lack what a segmentation needs, or
        their slices are not evenly spaced.
    """
    if not folder.is_dir():
        msg = f"SERIES_DIR must be a folder with a DICOM series; {folder} is none."
        raise DataError(msg)
    found = [one for path in sorted(folder.iterdir()) if (one := _read(path)) is not None]
    series = sorted({str(one.SeriesInstanceUID) for one in found})
    if len(series) != 1:
        told = "none" if not series else f"{len(series)} ({', '.join(series)})"
        msg = (
            f"Looked in {folder} for the images of one DICOM series and found {told}. Give the "
            "folder of the series that the scan was converted from, and nothing else in it."
        )
        raise DataError(msg)
    for dataset in found:
        _complete(dataset, folder)
    framed = sum(map(_by_frame, found))
    if framed and len(found) > 1:
        msg = (
            f"Looked in {folder} for the slices of one image, or all in one file, and found "
            f"{len(found)} files, {framed} of them with frames of their own. Give a folder with "
            "nothing but the file that the scan was converted from."
        )
        raise DataError(msg)
    geometry = _geometry(found)
    if geometry is None:
        msg = (
            f"The {len(found)} images in {folder} do not make up one volume: slices are missing, "
            "doubled, of different sizes or not evenly spaced. Give a whole series of one contrast."
        )
        raise DataError(msg)
    for dataset in found:
        if not _by_frame(dataset) and "SliceThickness" not in dataset:
            dataset.SliceThickness = float(geometry.spacing[0])
    return Series(tuple(found), geometry)


def _read(path: Path) -> pydicom.Dataset | None:
    """An image without its pixels; ``None`` for what is none, such as a report or a DICOMDIR."""
    if not path.is_file():
        return None
    try:
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
    except (InvalidDicomError, EOFError):
        return None
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or error}."
        raise DataError(msg) from error
    return dataset if "Rows" in dataset and "SeriesInstanceUID" in dataset else None


def _complete(dataset: pydicom.Dataset, folder: Path) -> None:
    """Give empty values to what de-identification has taken and highdicom asks for.

    Raises
    ------
    DataError
        Where it lacks its identity, size or place, which nobody can make up.
    """
    for tag in _PERSONAL:
        if tag not in dataset:
            setattr(dataset, tag, "")
    missing = _missing(dataset)
    if missing:
        msg = (
            f"Images in {folder} lack {', '.join(missing)}, without which no segmentation can be "
            "laid over them. Give the series as the scanner or the archive has it."
        )
        raise DataError(msg)


def _missing(dataset: pydicom.Dataset) -> list[str]:
    """What is needed and not there, or emptied, be it of one frame alone."""
    framed = _by_frame(dataset)
    found = [dataset[tag] for tag in (_NEEDED if framed else _NEEDED + _PLACE) if tag in dataset]
    if framed:
        shared = dataset.get("SharedFunctionalGroupsSequence", ())
        for group in (*shared, *dataset.PerFrameFunctionalGroupsSequence):
            found += [one for one in group.iterall() if one.keyword in _PLACE]
    told = {one.keyword for one in found} - {one.keyword for one in found if one.is_empty}
    return [tag for tag in _NEEDED + _PLACE if tag not in told]


def _by_frame(dataset: pydicom.Dataset) -> bool:
    """Whether it tells the place frame by frame, as enhanced images do."""
    return bool(dataset.get("NumberOfFrames") and dataset.get("PerFrameFunctionalGroupsSequence"))


def _geometry(datasets: list[pydicom.Dataset]) -> hd.VolumeGeometry | None:
    first = datasets[0]
    if _by_frame(first):
        return hd.Image.from_dataset(first).get_volume_geometry()
    if len(datasets) < 2 or len({(one.Rows, one.Columns) for one in datasets}) > 1:
        return None
    spacing, numbers = hd.spatial.get_series_volume_positions(datasets)
    if spacing is None or numbers is None:
        return None
    lowest = datasets[numbers.index(0)]
    return hd.VolumeGeometry.from_attributes(
        image_position=lowest.ImagePositionPatient,
        image_orientation=lowest.ImageOrientationPatient,
        rows=lowest.Rows,
        columns=lowest.Columns,
        pixel_spacing=lowest.PixelSpacing,
        spacing_between_slices=spacing,
        number_of_frames=len(datasets),
        coordinate_system="PATIENT",
        frame_of_reference_uid=lowest.FrameOfReferenceUID,
    )


def on_series(mask: nib.Nifti1Image, geometry: hd.VolumeGeometry) -> NDArray[np.bool_]:
    """Order the voxels of a mask as the series has them; nothing is resampled.

    Parameters
    ----------
    mask
        Above 0 inside; its world is RAS.
    geometry
        Of the series.

    Returns
    -------
    ndarray
        Bool, of the geometry's shape.

    Raises
    ------
    DataError
        When the mask does not lie on the series' grid.
    """
    affine = _RAS_LPS @ geometry.affine
    shape = tuple(geometry.spatial_shape)
    turn = nib.orientations.io_orientation(np.linalg.inv(affine) @ mask.affine)
    values = nib.orientations.apply_orientation(np.asanyarray(mask.dataobj) > 0, turn)
    turned = mask.affine @ nib.orientations.inv_ornt_aff(turn, mask.shape)
    corners = np.stack(np.meshgrid(*[(0, n - 1) for n in shape]), axis=-1).reshape(-1, 3)
    there = nib.affines.apply_affine(np.linalg.inv(affine) @ turned, corners)
    off = float(np.abs(there - corners).max())
    if values.shape != shape or off > TOLERANCE:
        msg = (
            "The mask does not lie on the series' grid: it has "
            f"{_times(values.shape)} voxels, the series {_times(shape)} (slices, rows, columns), "
            f"and their corners are up to {off:.1f} voxels apart. Give the mask on the scan's own "
            "grid (no space- in its name), and the series that the scan was converted from."
        )
        raise DataError(msg)
    inside: NDArray[np.bool_] = np.ascontiguousarray(values)
    return inside


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
