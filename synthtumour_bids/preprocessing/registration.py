"""From a scan to the template grid and back: N4, brain extraction, one affine resampling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import ants
import nibabel as nib
import numpy as np
from scipy import ndimage

from synthtumour_bids.errors import UnusableScanError
from synthtumour_bids.execution.temporary import safe_alias
from synthtumour_bids.files import copy_file
from synthtumour_bids.preprocessing import alignment, ants_images, geometry, quality
from synthtumour_bids.preprocessing.bias import correct_bias
from synthtumour_bids.preprocessing.brain import BrainExtraction, extract_brain
from synthtumour_bids.preprocessing.points import scan_to_template
from synthtumour_bids.preprocessing.templates import HeadTemplate, standard_brain, standard_mask
from synthtumour_bids.volumes import like_native, template_image

SPLINE_REACH = 16  # voxels; what is farther off has no say in a cubic spline (0.27 to that power)
LEAST_BRAIN_ML = 50.0  # a newborn's has 300 mL; less is a mistake, and too little to register


@dataclass(frozen=True)
class Preprocessed:
    """A scan made ready.

    Attributes
    ----------
    native
        The bias-corrected scan, float32 on its own grid.
    native_mask
        Its brain, uint8.
    standard
        The corrected brain on the standard grid, float32, zero outside the brain.
    standard_mask
        The brain there, uint8.
    transform
        Affine transform, scan to standard (ITK's convention, read by ``antsApplyTransforms``).
    qc
        Figures on extraction and registration.
    flags
        What is suspicious, e.g. ``"registration_poor"``; empty when all seems well.
    method, template, already_stripped
        How the brain was found, with which head template, and whether the skull was gone.
    """

    native: nib.Nifti1Image
    native_mask: nib.Nifti1Image
    standard: nib.Nifti1Image
    standard_mask: nib.Nifti1Image
    transform: Path
    qc: Mapping[str, float]
    flags: tuple[str, ...]
    method: str
    template: str
    already_stripped: bool


def preprocess(
    image: nib.Nifti1Image,
    *,
    template: Callable[[], HeadTemplate],
    resolution: float,
    mode: str = "auto",
    brain_mask: nib.Nifti1Image | None = None,
    work_dir: Path,
    seed: int,
    sloppy: bool = False,
) -> Preprocessed:
    """Extract the brain, correct its shading and bring it to the standard grid.

    The registration is affine, so that a tumour cannot bend it, and the corrected scan is
    resampled once (cubic B-spline).

    Parameters
    ----------
    image
        3-D scan.
    template
        Loads the head template for the extraction, where one is needed.
    resolution
        Voxel size of the standard grid in mm.
    mode
        ``"auto"``, ``"force"`` or ``"skip"``; see
        :func:`synthtumour_bids.preprocessing.brain.extract_brain`.
    brain_mask
        A mask to use instead of an extraction, on the scan's or any other grid of its world;
        messages name its file.
    work_dir
        Receives the transform; temporary files are removed.
    seed
        Fixes the registrations' random sampling.
    sloppy
        Coarser and faster, for trying out.

    Raises
    ------
    UnusableScanError
        When no brain is found, or none that the template grid holds.
    """
    if brain_mask is not None:
        extraction = _given_mask(image, brain_mask)
    else:
        extraction = extract_brain(
            image, template, mode=mode, work_dir=work_dir, seed=seed, sloppy=sloppy
        )
    mask = extraction.mask
    _check_size(mask, extraction.qc["brain_volume_mL"])
    corrected = correct_bias(image, mask, sloppy=sloppy)
    standard = standard_brain(resolution)
    transform, information = _register(corrected, mask, image.affine, work_dir, seed, sloppy=sloppy)

    grid = ants_images.image_to_ants(standard)
    # A spline through a sharp edge swings below zero, so the scan is resampled with its skull and
    # masked afterwards. ANTs holds what it resamples many times over: only what is needed.
    box = geometry.bounding_box(mask, margin=SPLINE_REACH)
    place = geometry.cropped_affine(image.affine, box)
    moved = ants.apply_transforms(
        grid, ants_images.to_ants(corrected[box], place), [str(transform)], interpolator="bSpline"
    ).numpy()
    moved_mask = (
        ants.apply_transforms(
            grid, ants_images.to_ants(mask[box], place), [str(transform)], interpolator="linear"
        ).numpy()
        >= 0.5
    )
    if not moved_mask.any():
        raise UnusableScanError(
            "The registration moved its brain out of the template grid: look at the scan's "
            "orientation, or give your own brain mask with --derivatives."
        )
    qc = {
        **extraction.qc,
        **quality.standard_quality(moved_mask, standard_mask(resolution), information),
    }
    peak = float(corrected[mask].max())
    brain = np.where(moved_mask, np.clip(moved, 0, peak), 0).astype(np.float32)
    native = nib.Nifti1Image(corrected, image.affine, image.header)
    native.set_data_dtype(np.float32)
    return Preprocessed(
        native=native,
        native_mask=like_native(mask, image, np.uint8),
        standard=template_image(brain, standard.affine),
        standard_mask=template_image(moved_mask.astype(np.uint8), standard.affine),
        transform=transform,
        qc=qc,
        flags=quality.flags(qc),
        method=extraction.method,
        template=extraction.template,
        already_stripped=extraction.already_stripped,
    )


def carry_to_native(
    probability: nib.Nifti1Image, transform: Path, reference: nib.Nifti1Image
) -> np.ndarray:
    """Bring a probability map from the standard grid back to a scan's grid (linear).

    Only the part of the scan's grid that the map reaches is sampled: of a fine grid, the whole
    would take gigabytes.

    Parameters
    ----------
    probability
        Map on the standard grid, values in [0, 1].
    transform
        Transform that :func:`preprocess` gave for the scan.
    reference
        The scan, or any image on its grid.

    Returns
    -------
    numpy.ndarray
        float32, the reference's shape and voxel order.
    """
    values = np.zeros(reference.shape, dtype=np.float32)
    known = probability.get_fdata(dtype=np.float32) != 0
    with safe_alias(transform.parent) as folder:
        file = folder / transform.name
        to_scan = np.linalg.inv(scan_to_template(file) @ reference.affine) @ probability.affine
        reached = geometry.corners(geometry.bounding_box(known, margin=1))
        box = geometry.box_of_points(
            nib.affines.apply_affine(to_scan, reached), reference.shape, margin=1
        )
        if values[box].size:
            place = geometry.cropped_affine(reference.affine, box)
            values[box] = ants.apply_transforms(
                ants_images.to_ants(values[box], place),
                ants_images.image_to_ants(probability),
                [str(file)],
                whichtoinvert=[True],
                interpolator="linear",
            ).numpy()
    return values


def _check_size(mask: np.ndarray, volume_ml: float) -> None:
    """Raise `UnusableScanError` where a mask holds no brain that could be registered."""
    if volume_ml >= LEAST_BRAIN_ML:
        return
    found = f"{volume_ml:.2g} mL of it" if mask.any() else "none"
    raise UnusableScanError(
        f"Looked for a brain in the scan and found {found}: give your own mask with "
        "--derivatives, or another head template with --skull-strip-template."
    )


def _given_mask(image: nib.Nifti1Image, brain_mask: nib.Nifti1Image) -> BrainExtraction:
    given = brain_mask.get_fdata(dtype=np.float32) > 0.5
    named = f"The brain mask {brain_mask.get_filename() or 'given for it'} (--derivatives)"
    if not given.any():
        raise UnusableScanError(f"{named} is empty. Correct it, or take it away.")
    values = geometry.resample(given, brain_mask.affine, image.shape, image.affine, to_faces=True)
    mask = values > 0.5
    if not mask.any():
        raise UnusableScanError(
            f"{named} lies outside the scan: their affines place them apart. Correct it, or take "
            "it away."
        )
    qc = quality.mask_quality(mask, geometry.voxel_sizes(image.affine))
    return BrainExtraction(mask, "mask given by the user", "", False, qc, quality.flags(qc))


def _register(
    corrected: np.ndarray,
    mask: np.ndarray,
    affine: np.ndarray,
    work_dir: Path,
    seed: int,
    *,
    sloppy: bool,
) -> tuple[Path, float]:
    """Align the brain to the standard brain; the transform file stays in ``work_dir``."""
    settings = alignment.load_settings("affine_brain")
    spacing = float(settings["spacing"]) * (2 if sloppy else 1)
    fixed = ants_images.image_to_ants(standard_brain(spacing))
    ceiling = float(np.percentile(corrected[mask], 99.5))
    box = geometry.bounding_box(mask, margin=1)
    brain = np.where(mask[box], np.minimum(corrected[box], ceiling), 0)
    box_affine = geometry.cropped_affine(affine, box)
    shape, grid = geometry.isotropic_grid(brain.shape, box_affine, spacing)
    moving = ants_images.to_ants(geometry.resample(brain, box_affine, shape, grid), grid)
    with alignment.scratch(work_dir) as folder:
        forward = alignment.best_affine(
            fixed,
            moving,
            _centre(fixed),
            _centre(moving),
            scale=1.0,
            settings=settings,
            folder=folder,
            seed=seed,
        )
        moved = ants.apply_transforms(fixed, moving, forward)
        transform = work_dir / "scan-to-standard.mat"
        copy_file(Path(forward[0]), transform)
    return transform, alignment.similarity_score(fixed, moved)


def _centre(image: ants.ANTsImage) -> np.ndarray:
    """Centre of mass of an image's non-zero part, RAS mm."""
    converted = ants_images.from_ants(image)
    middle = ndimage.center_of_mass(converted.get_fdata() > 0)
    centre: np.ndarray = (converted.affine @ np.array([*middle, 1.0]))[:3]
    return centre
