"""Carrying a template's brain over to a scan with skull."""

from __future__ import annotations

from pathlib import Path

import ants
import numpy as np
from scipy import ndimage

from synthtumour_bids.preprocessing import alignment, ants_images, geometry
from synthtumour_bids.preprocessing.distances import distance_to
from synthtumour_bids.preprocessing.stripped import solid_component
from synthtumour_bids.preprocessing.templates import HeadTemplate

# The cranium without face and neck: this far down from the crown, in mm.
_CRANIUM_MM = 100.0
# Where the head nods about: this far below the crown, in mm.
_PIVOT_MM = 70.0
# A section of the head smaller than this (mm2) is not yet its crown but noise.
_CROWN_AREA = 500.0


def carry_brain(
    head: np.ndarray,
    inside: np.ndarray,
    affine: np.ndarray,
    template: HeadTemplate,
    *,
    folder: Path,
    seed: int,
    sloppy: bool = False,
) -> tuple[np.ndarray, float]:
    """Register a real head template to a scan: affine, then SyN, with mutual information.

    Parameters
    ----------
    head
        Bias-corrected scan with skull (X, Y, Z).
    inside
        The head against the air around it, bool.
    affine
        Voxel to RAS mm; the voxels are cubic.
    template
        The template.
    folder
        Where transform files go.
    seed
        Fixes the random sampling.
    sloppy
        Stops after the affine registration.

    Returns
    -------
    probability, score
        Brain probability on the scan's grid, and the mutual information reached.
    """
    if template.contrast == "FLAIR-like":
        return _carry_from_model(head, inside, affine, template, folder, seed, sloppy=sloppy)
    settings = alignment.load_settings("head")
    fixed = ants_images.to_ants(np.minimum(head, np.percentile(head, 99.5)), affine)
    moving = ants_images.image_to_ants(template.head)
    stages = settings["stages"][:-1] if sloppy else settings["stages"]
    forward, _ = alignment.run_stages(fixed, moving, stages, folder=folder, seed=seed)
    brain = ants.apply_transforms(fixed, ants_images.image_to_ants(template.brain), forward)
    moved = ants.apply_transforms(fixed, moving, forward)
    return brain.numpy(), alignment.similarity_score(fixed, moved)


def _carry_from_model(
    head: np.ndarray,
    inside: np.ndarray,
    affine: np.ndarray,
    template: HeadTemplate,
    folder: Path,
    seed: int,
    *,
    sloppy: bool,
) -> tuple[np.ndarray, float]:
    """Register a scan to the modelled head, which resembles a real one near the brain only.

    The scan moves and the model stands, so that the metric can be held to the model's brain,
    skull and scalp. Fat, bright to a degree that differs from scanner to scanner, is cut off
    just above the brain's level.
    """
    settings = alignment.load_settings("head_model")
    ceiling, reach = settings["ceiling"], settings["metric_within_mm"]
    spacing = float(geometry.voxel_sizes(affine)[0])
    shape, model_affine = geometry.isotropic_grid(
        template.head.shape, template.head.affine, spacing
    )
    model, brain = (
        geometry.resample(image.get_fdata(dtype=np.float32), image.affine, shape, model_affine)
        for image in (template.head, template.brain)
    )
    model_pivot, model_radius = cranium(solid_component(model > 0.3), model_affine)
    near = distance_to(brain >= 0.5, spacing) <= reach
    box = geometry.bounding_box(near)
    model_affine = geometry.cropped_affine(model_affine, box)
    mask = ants_images.to_ants(near[box], model_affine)
    fixed = ants_images.to_ants(np.minimum(model[box], ceiling), model_affine)
    level = brain_level(head, inside, affine)
    moving = ants_images.to_ants(np.minimum(head / level, ceiling), affine)

    pivot, radius = cranium(inside, affine)
    affine_only = alignment.best_affine(
        fixed,
        moving,
        model_pivot,
        pivot,
        scale=radius / model_radius,
        settings=settings,
        folder=folder,
        seed=seed,
        mask=mask,
    )
    forward, inverse = affine_only, affine_only
    if not sloppy:
        forward, inverse = alignment.run_stages(
            fixed,
            moving,
            [settings["deformable"]],
            folder=folder,
            seed=seed,
            initial=affine_only,
            mask=mask,
        )
    probability = alignment.apply_inverse(
        moving, ants_images.image_to_ants(template.brain), inverse
    )
    moved = ants.apply_transforms(fixed, moving, forward)
    return probability, alignment.similarity_score(fixed, moved, mask)


def cranium(inside: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, float]:
    """Place and size of the cranium from the head's outline; the array is in RAS order.

    Returns
    -------
    pivot, radius
        The point a fixed way below the crown, in the middle of the head, in RAS mm; the radius
        of a disc as large as the largest section of the cranium, in mm.
    """
    sizes = geometry.voxel_sizes(affine)
    areas = inside.sum(axis=(0, 1)) * sizes[0] * sizes[1]
    crown = int(np.flatnonzero(areas >= min(_CROWN_AREA, areas.max()))[-1])
    lowest = max(0, crown - round(_CRANIUM_MM / sizes[2]))
    upper = inside[:, :, lowest : crown + 1]
    middle = ndimage.center_of_mass(upper)
    pivot = np.asarray(affine) @ np.array([middle[0], middle[1], crown, 1.0])
    pivot = pivot[:3] - np.array([0, 0, _PIVOT_MM])
    return pivot, float(np.sqrt(areas[lowest : crown + 1].max() / np.pi))


def brain_level(head: np.ndarray, inside: np.ndarray, affine: np.ndarray) -> float:
    """Typical signal of brain tissue: the median of the head's core without its fluid."""
    depth = distance_to(~inside, geometry.voxel_sizes(affine))
    core = head[depth > 0.6 * depth.max()]
    tissue = core[core > 0.3 * np.median(core)]
    return max(float(np.median(tissue)) if tissue.size else 1.0, 1e-6)
