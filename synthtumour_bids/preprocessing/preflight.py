"""Whether a scan can be used, and what is odd about it, in words for the person who has it.

The file is opened in ``reading``; the checks of its grid and of its values stand here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from synthtumour_bids.errors import UnusableScanError
from synthtumour_bids.preprocessing.padding import is_background, without_fills
from synthtumour_bids.preprocessing.reading import (
    TRUNCATED,
    UnreadableError,
    open_scan,
)
from synthtumour_bids.volumes import VOXEL_ERRORS, like_native

THICK_SLICE_MM = 6.0
SMALL_VIEW_MM = 80.0
TINY_VIEW_MM = 50.0
LARGEST_VIEW_MM = 800.0  # a scanner's bore is 600 to 700 mm wide
MIN_SLICES = 8
MAX_NON_FINITE = 0.05
CONTRADICTION_MM = 1.0
SHEAR_TOLERANCE = 0.01  # largest difference of the direction matrix from the next rotation
HUGE_INTENSITY = 1e10  # squares of it still fit into float32
TINY_INTENSITY = 1e-6
USUAL_INTENSITY = 1000.0
UNITS_IN_MM = {"meter": 1000.0, "micron": 0.001}

# Wording of the findings, by code; tests and reports refer to these.
MESSAGES = {
    "unreadable": "{reason}",
    "series": "The image has {n} volumes (shape {shape}), but one is needed: pick a volume or "
    "average them, and name that file in the dataset.",
    "not_3d": "The image has {n} dimensions (shape {shape}); 3 are needed.",
    "singleton_axes": "The image has further axes of length 1 (shape {shape}); they were dropped.",
    "empty_axis": "The image has an axis of length 0 (shape {shape}).",
    "value_type": "The values are {kind}; an image has one real number a voxel.",
    "bad_zooms": "The voxel sizes in the header are not positive ({zooms} mm).",
    "bad_affine": "The affine in the header cannot be inverted, so that voxels have no place in "
    "space. Convert the scan again from its DICOM files.",
    "no_orientation": "Neither qform nor sform is set (both codes are 0): the orientation is a "
    "guess, and left and right may be swapped.",
    "forms_differ": "qform and sform place the image differently (up to {distance:.1f} mm apart); "
    "the sform was used. Other programs may use the qform and show results shifted.",
    "zooms_differ": "The voxel sizes of the header ({zooms} mm) are not those of its affine "
    "({true} mm); the affine's were used.",
    "sheared": "The voxel axes are not perpendicular (the affine is sheared), which ANTs cannot "
    "express: resample the scan to an unsheared grid first.",
    "units": "The header says that lengths are in {unit}s, which would make the image {view}; "
    "they were taken as mm.",
    "not_mm": "The header gives lengths in {unit}s, which makes the image {view}; lengths must be "
    "in mm. Convert the header, or the scan again from its DICOM files.",
    "large_view": "The field of view is too large for a head ({view}; at most "
    f"{LARGEST_VIEW_MM:g} mm): the voxel sizes in the header ({{zooms}}) must be wrong, such as "
    "cm or tenths for mm. Mend them, or convert the scan again from its DICOM files.",
    "thick_slices": "The slices are {thickness:.1f} mm thick; small tumours can be missed.",
    "small_view": "The field of view is small ({view}): a part of the brain may be missing.",
    "tiny_view": "The field of view is too small for a brain ({view}; at least "
    f"{TINY_VIEW_MM:g} mm along each axis are needed).",
    "few_slices": f"The image has only {{n}} slices (shape {{shape}}); at least {MIN_SLICES} are "
    "needed.",
    "non_finite": "{n} voxels ({percent:.2g} %) are NaN or infinite; they were set to 0.",
    "mostly_non_finite": "{percent:.1f} % of the voxels are NaN or infinite, and not only around "
    f"the head; at most {100 * MAX_NON_FINITE:g} % can be replaced. Convert the scan again from "
    "its DICOM files, or write 0 outside the field of view.",
    "padding": "{percent:.2g} % of the voxels have the value {value:.6g}, far from all others: "
    "they were taken for padding outside the field of view, and count as background.",
    "mixed_padding": "{n} voxels beside the padding are mixtures with it, as both were resampled: "
    "they count as background, too.",
    "empty": "All voxels are 0.",
    "constant": "All voxels have the same value ({value:g}).",
    "two_values": "The voxels have only two values ({low:g} and {high:g}): this is a mask, not a "
    "scan.",
    "broken_voxels": "{n} voxels have impossible values (up to {value:.2g}); they were set to 0.",
    "rescaled": "The values are unusually {size} (up to {value:.2g}); they were multiplied by "
    "{factor:.2g}.",
}


@dataclass(frozen=True)
class Finding:
    """Something odd about a scan.

    Attributes
    ----------
    code
        A key of ``MESSAGES``.
    severity
        ``warning``: the scan is used, ``error``: it is not.
    message
        A sentence for the user.
    """

    code: str
    severity: str
    message: str


@dataclass(frozen=True)
class Preflight:
    """A scan that can be used.

    Attributes
    ----------
    image
        3-D, float32, finite, on the scan's grid: affine, qform, sform, codes and voxel sizes are
        those of the file.
    findings
        Warnings.
    """

    image: nib.Nifti1Image
    findings: tuple[Finding, ...]


def check(path: Path) -> Preflight:
    """Read a scan and look for what has broken analyses before.

    Parameters
    ----------
    path
        A NIfTI file.

    Raises
    ------
    UnusableScanError
        With all errors found, one sentence each.
    """
    try:
        opened = open_scan(path)
    except UnreadableError as error:
        raise _unusable(path, [_error("unreadable", reason=str(error))]) from error
    image = opened.image
    shape = image.shape
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    findings = list(_check_kind(image, shape))
    if _has_errors(findings):
        raise _unusable(path, findings)
    findings += _check_grid(image, opened.zooms, shape)
    try:
        values = np.asanyarray(image.dataobj).reshape(shape)
    except VOXEL_ERRORS as error:
        reason = TRUNCATED.format(reason=error)
        raise _unusable(path, [*findings, _error("unreadable", reason=reason)]) from error
    values, of_values = clean_values(values, _slope(image.dataobj))
    findings += of_values
    if _has_errors(findings):
        raise _unusable(path, findings)
    clean = like_native(values, image, np.float32)
    if "units" in {finding.code for finding in findings}:
        clean.header.set_xyzt_units("mm")
    return Preflight(clean, tuple(findings))


def _warning(code: str, **details: Any) -> Finding:
    return Finding(code, "warning", MESSAGES[code].format(**details))


def _error(code: str, **details: Any) -> Finding:
    return Finding(code, "error", MESSAGES[code].format(**details))


def _has_errors(findings: list[Finding]) -> bool:
    return any(finding.severity == "error" for finding in findings)


def _unusable(path: Path, findings: list[Finding]) -> UnusableScanError:
    sentences = [finding.message for finding in findings if finding.severity == "error"]
    return UnusableScanError(f"{path} cannot be used. {' '.join(sentences)}")


def _times(lengths: npt.ArrayLike) -> str:
    """Write lengths as in ``1 × 1 × 2.5``."""
    return " × ".join(f"{length:.3g}" for length in np.atleast_1d(lengths))


# ---------------------------------------------------------------------------- kind


def _check_kind(image: nib.Nifti1Image, shape: tuple[int, ...]) -> Iterator[Finding]:
    """Check the number of axes and the data type."""
    shown = "×".join(map(str, image.shape))
    if 0 in image.shape:
        yield _error("empty_axis", shape=shown)
    elif len(shape) > 3:
        yield _error("series", n=int(np.prod(shape[3:])), shape=shown)
    elif len(shape) < 3:
        yield _error("not_3d", n=len(shape), shape=shown)
    elif len(image.shape) > 3:
        yield _warning("singleton_axes", shape=shown)
    dtype = image.get_data_dtype()
    if dtype.fields is not None:
        yield _error("value_type", kind="colours (RGB)")
    elif dtype.kind == "c":
        yield _error("value_type", kind="complex numbers")


# ---------------------------------------------------------------------------- grid


def _check_grid(
    image: nib.Nifti1Image, zooms: Sequence[float], shape: tuple[int, ...]
) -> Iterator[Finding]:
    """Check where the header places the image, and how much of a head fits in."""
    if not (np.all(np.isfinite(zooms)) and np.all(np.asarray(zooms) > 0)):
        yield _error("bad_zooms", zooms=_times(zooms))
        return
    affine = image.affine
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    volume = abs(np.linalg.det(affine[:3, :3])) if np.all(np.isfinite(affine)) else 0.0
    if not (np.all(np.isfinite(sizes)) and volume > 1e-6 * np.prod(sizes)):
        yield _error("bad_affine")
        return
    unit, view = image.header.get_xyzt_units()[0], sizes * shape
    if unit in UNITS_IN_MM and not _is_plausible(view):
        in_mm = view * UNITS_IN_MM[unit]
        if _is_plausible(in_mm):
            yield _error("not_mm", unit=unit, view=f"{_times(np.round(in_mm))} mm large")
            return
    if np.max(view) > LARGEST_VIEW_MM:
        yield _error("large_view", view=f"{_times(np.round(view))} mm", zooms=_times(sizes))
        return
    yield from _check_orientation(image, shape)
    if not np.allclose(zooms, sizes, rtol=0.02):
        yield _warning("zooms_differ", zooms=_times(zooms), true=_times(sizes))
    axes = affine[:3, :3] / sizes
    left, _, right = np.linalg.svd(axes)
    if np.max(np.abs(axes - left @ right)) > SHEAR_TOLERANCE:
        yield _error("sheared")
    yield from _check_view(image, sizes, shape)


def _is_plausible(view_mm: npt.NDArray[np.float64]) -> bool:
    """Whether a head could be seen in so large an image."""
    return bool(np.max(view_mm) <= LARGEST_VIEW_MM and np.min(view_mm) >= TINY_VIEW_MM)


def _check_orientation(image: nib.Nifti1Image, shape: tuple[int, ...]) -> Iterator[Finding]:
    header = image.header
    codes = int(header["qform_code"]), int(header["sform_code"])
    if codes == (0, 0):
        yield _warning("no_orientation")
    if not all(code > 0 for code in codes):
        return
    last = np.array(shape) - 1
    corners = np.array(np.meshgrid(*((0, n) for n in last))).reshape(3, -1)
    corners = np.vstack([corners, np.ones(corners.shape[1])])
    difference = ((header.get_qform() - header.get_sform()) @ corners)[:3]
    distance = float(np.max(np.linalg.norm(difference, axis=0)))
    if distance > CONTRADICTION_MM:
        yield _warning("forms_differ", distance=distance)


def _check_view(
    image: nib.Nifti1Image, sizes: npt.NDArray[np.float64], shape: tuple[int, ...]
) -> Iterator[Finding]:
    view = sizes * shape
    shown = f"{_times(np.round(view))} mm"
    unit = image.header.get_xyzt_units()[0]
    if unit in UNITS_IN_MM:
        yield _warning("units", unit=unit, view=f"{_times(view * UNITS_IN_MM[unit])} mm large")
    if np.max(sizes) > THICK_SLICE_MM:
        yield _warning("thick_slices", thickness=float(np.max(sizes)))
    if min(shape) < MIN_SLICES:
        yield _error("few_slices", n=min(shape), shape="×".join(map(str, shape)))
    if np.min(view) < TINY_VIEW_MM:
        yield _error("tiny_view", view=shown)
    elif np.min(view) < SMALL_VIEW_MM:
        yield _warning("small_view", view=shown)


# ---------------------------------------------------------------------------- values


def _slope(proxy: Any) -> float:
    """Factor between the numbers in a file and its values, 1 where something is added, too."""
    return float(proxy.slope) if proxy.inter == 0 else 1.0


def clean_values(
    values: npt.NDArray[Any], slope: float = 1
) -> tuple[npt.NDArray[np.float32], list[Finding]]:
    """Check the values of a scan and mend what can be mended.

    Parameters
    ----------
    values
        Shape (X, Y, Z), any real type.
    slope
        What they were multiplied by when they were read, where nothing was added.

    Returns
    -------
    values
        float32, finite; scaled where float32 arithmetic on them would overflow or vanish.
    findings
        What was mended, and errors.
    """
    findings: list[Finding] = []
    # Integers of up to 16 bits and what float32 holds keep their values in it.
    work = values.astype(np.result_type(values.dtype, np.float32), copy=False)
    finite = np.isfinite(work)
    n_bad = work.size - int(np.count_nonzero(finite))
    percent = 100 * n_bad / work.size
    if n_bad > MAX_NON_FINITE * work.size and (n_bad == work.size or not is_background(~finite)):
        return np.zeros(work.shape, np.float32), [_error("mostly_non_finite", percent=percent)]
    if n_bad:
        work = np.where(finite, work, min(0, work[finite].min()))
        findings.append(_warning("non_finite", n=n_bad, percent=percent))
    work, fills = without_fills(work, slope)
    for fill in fills:
        share = 100 * fill.count / work.size
        findings.append(_warning("padding", value=fill.value, percent=share))
        if fill.mixed:
            findings.append(_warning("mixed_padding", n=fill.mixed))
    impossible = np.abs(work) > HUGE_INTENSITY
    n_impossible = int(np.count_nonzero(impossible))
    if 0 < n_impossible <= MAX_NON_FINITE * np.count_nonzero(work):
        largest = float(np.max(np.abs(work)))
        work = np.where(impossible, 0, work)
        findings.append(_warning("broken_voxels", n=n_impossible, value=largest))
    low, high = float(np.min(work)), float(np.max(work))
    if low == high:
        findings.append(_error("constant", value=low) if low else _error("empty"))
    elif np.all((work == low) | (work == high)):
        findings.append(_error("two_values", low=low, high=high))
    largest = max(abs(low), abs(high))
    if largest > HUGE_INTENSITY or 0 < largest < TINY_INTENSITY:
        factor = USUAL_INTENSITY / largest
        size = "large" if largest > 1 else "small"
        work = work * factor
        findings.append(_warning("rescaled", size=size, value=largest, factor=factor))
    return work.astype(np.float32, copy=False), findings
