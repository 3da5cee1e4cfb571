"""Head templates for brain extraction, and the standard brain everything is aligned to.

Nothing is ever downloaded: a template is a folder of the user's, TemplateFlow files that are
already on the disk, or the head built from the tissue maps that nilearn carries.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from scipy import ndimage

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.preprocessing import geometry
from synthtumour_bids.preprocessing.head_model import build_head
from synthtumour_bids.preprocessing.reading import UnreadableError, open_scan
from synthtumour_bids.preprocessing.template_files import (
    EMBEDDED,
    HEAD_SUFFIXES,
    TemplateFiles,
    find_template,
    suffix,
)
from synthtumour_bids.volumes import VOXEL_ERRORS


@dataclass(frozen=True)
class HeadTemplate:
    """A head with skull and the brain inside it.

    Attributes
    ----------
    name
        How sidecars and reports call it.
    head
        The whole head.
    brain
        Probability in [0, 1] of belonging to the brain (with its fluid), on the head's grid.
    contrast
        ``"T1w"``, ``"FLAIR"``, ..., or ``"FLAIR-like"`` for the embedded model.
    """

    name: str
    head: nib.Nifti1Image
    brain: nib.Nifti1Image
    contrast: str


def load_head_template(name_or_path: str | None = None) -> HeadTemplate:
    """Load a head template; see :func:`template_files.find_template` for what can be given.

    Raises
    ------
    UnavailableError
        When there is no such template on the disk, or its files cannot be used.
    """
    files = find_template(name_or_path)
    return _embedded_head() if files is None else load_files(files)


def load_files(files: TemplateFiles) -> HeadTemplate:
    """Load the two images of a template.

    Raises
    ------
    UnavailableError
        When they cannot be read, or do not fit together.
    """
    try:
        head, brain = (
            nib.as_closest_canonical(open_scan(p).image) for p in (files.head, files.brain)
        )
        if (
            head.ndim != 3
            or head.shape != brain.shape
            or not np.allclose(head.affine, brain.affine)
        ):
            raise UnavailableError(
                f"The head {files.head} and the brain {files.brain} should be 3-D and lie on one "
                f"grid, but have shapes {head.shape} and {brain.shape} or different affines: give "
                "--skull-strip-template another folder."
            )
        values = head.get_fdata(dtype=np.float32)
        probability = brain.get_fdata(dtype=np.float32)
    except (UnreadableError, *VOXEL_ERRORS) as error:
        raise UnavailableError(
            f"The head template {files.name} cannot be read from {files.head.parent} ({error}): "
            "fetch it again (synthtumour-fetch), or give --skull-strip-template another folder."
        ) from error
    probability = np.clip(probability / max(float(probability.max()), 1e-6), 0, 1)
    contrast = suffix(files.head)
    return HeadTemplate(
        name=files.name,
        head=nib.Nifti1Image(values, head.affine),
        brain=nib.Nifti1Image(probability, brain.affine),
        contrast=contrast if contrast in HEAD_SUFFIXES else "unknown",
    )


@functools.cache
def templateflow_brain(
    files: TemplateFiles, resolution: int | None, millimetres: float
) -> nib.Nifti1Image:
    """Brain of a standard head of TemplateFlow, 0 outside.

    Parameters
    ----------
    files
        The head and its brain.
    resolution
        The ``res-`` that was asked for, whose grid it is then; ``None``: any.
    millimetres
        Voxel size where none was asked for.
    """
    template = load_files(files)
    values = template.head.get_fdata(dtype=np.float32)
    brain = np.where(template.brain.get_fdata(dtype=np.float32) >= 0.5, values, 0)
    affine = template.head.affine
    sizes = geometry.voxel_sizes(affine)
    if resolution is not None or np.allclose(sizes, millimetres):
        return nib.Nifti1Image(brain.astype(np.float32), affine)
    shape, grid = geometry.isotropic_grid(brain.shape, affine, millimetres)
    return nib.Nifti1Image(geometry.resample(brain, affine, shape, grid), grid)


@functools.cache
def _embedded_head() -> HeadTemplate:
    spacing = 2.0
    affine, tissues = _tissue_maps(spacing)
    head, brain, affine = build_head(
        tissues["gm"], tissues["wm"], tissues["brain"], affine, spacing
    )
    return HeadTemplate(
        name=EMBEDDED,
        head=nib.Nifti1Image(head, affine),
        brain=nib.Nifti1Image(brain, affine),
        contrast="FLAIR-like",
    )


@functools.cache
def standard_brain(resolution: float) -> nib.Nifti1Image:
    """Skull-stripped ICBM 2009a symmetric T1 brain on an isotropic RAS grid.

    Parameters
    ----------
    resolution
        Voxel size in mm.
    """
    from nilearn import datasets

    values, affine = _on_grid(datasets.load_mni152_template(resolution=1), resolution)
    return nib.Nifti1Image(values, affine)


def _on_grid(image: nib.Nifti1Image, resolution: float) -> tuple[np.ndarray, np.ndarray]:
    """Coarsen (or refine) a 1 mm map; the first voxel's centre stays, as in TemplateFlow."""
    values = image.get_fdata(dtype=np.float32)
    if resolution == 1:
        return values, image.affine
    affine = image.affine.copy()
    affine[:3, :3] *= resolution
    shape = [int(np.ceil(n / resolution)) for n in image.shape]
    return np.maximum(geometry.resample(values, image.affine, shape, affine), 0), affine


@functools.cache
def standard_mask(resolution: float) -> np.ndarray:
    """Brain with its fluid on the grid of :func:`standard_brain`, bool; not to be written to."""
    # The ICBM brain is cut out with a mask that includes the fluid around it.
    values = standard_brain(resolution).get_fdata(dtype=np.float32)
    brain: np.ndarray = ndimage.binary_fill_holes(values > 0.05 * float(values.max()))
    labels, count = ndimage.label(brain)
    if count > 1:
        sizes = ndimage.sum_labels(brain, labels, np.arange(1, count + 1))
        brain = labels == 1 + int(np.argmax(sizes))
    brain.flags.writeable = False
    return brain


def standard_tissues(resolution: float) -> dict[str, np.ndarray]:
    """Tissue probabilities of the standard brain, on the grid of :func:`standard_brain`.

    Returns
    -------
    dict
        ``"gm"``, ``"wm"``, ``"csf"``: float32 in [0, 1]; ``"brain"``: bool, all three together.
    """
    return {name: values.copy() for name, values in _tissue_maps(resolution)[1].items()}


@functools.cache
def _tissue_maps(resolution: float) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    from nilearn import datasets

    template = standard_brain(resolution)
    maps = {
        "gm": datasets.load_mni152_gm_template(resolution=1),
        "wm": datasets.load_mni152_wm_template(resolution=1),
    }
    tissues = {name: np.clip(_on_grid(image, resolution)[0], 0, 1) for name, image in maps.items()}
    brain = standard_mask(resolution)
    csf = np.where(brain, np.clip(1 - tissues["gm"] - tissues["wm"], 0, 1), 0)
    return template.affine, {**tissues, "csf": csf.astype(np.float32), "brain": brain}
