"""Correction of the coil's slow shading (N4)."""

from __future__ import annotations

import ants
import nibabel as nib
import numpy as np

from synthtumour_bids.preprocessing import ants_images, geometry

# The field is fitted on voxels of about this size; it is far smoother than that.
_FIT_SPACING = 6.0


def non_negative(data: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Make signals that have been centred on zero positive again.

    A few values just below zero come from interpolation and are set to zero; a scan whose
    signals (inside ``mask``, where given) are negative in earnest is raised as a whole.
    """
    values = data if mask is None or not mask.any() else data[mask]
    low, high = np.percentile(values, [1, 99])
    raised = data - low if low < -0.1 * abs(high) else data
    result: np.ndarray = np.maximum(raised, 0).astype(np.float32, copy=False)
    return result


def correct_bias(image: nib.Nifti1Image, mask: np.ndarray, *, sloppy: bool = False) -> np.ndarray:
    """Divide out the shading estimated inside a mask.

    Parameters
    ----------
    image
        3-D scan; see :func:`non_negative` for what becomes of negative values.
    mask
        Where the field is fitted, bool (X, Y, Z).
    sloppy
        Fewer iterations.

    Returns
    -------
    numpy.ndarray
        Corrected intensities, float32 (X, Y, Z), not negative.
    """
    data = non_negative(image.get_fdata(dtype=np.float32), mask)
    inside = mask & (data > 0)
    if not inside.any():
        return data
    level = float(np.median(data[inside]))
    box = geometry.bounding_box(inside, margin=1)
    box_affine = geometry.cropped_affine(image.affine, box)
    shape, affine = geometry.isotropic_grid(inside[box].shape, box_affine, _FIT_SPACING)
    coarse = geometry.resample(data[box] / level, box_affine, shape, affine)
    coarse_mask = geometry.resample(inside[box], box_affine, shape, affine) > 0.5
    if not coarse_mask.any():
        return data
    # Three levels of the spline mesh (knots down to a quarter of the field of view): a finer
    # field could follow a large tumour and flatten it.
    iterations = [15, 10] if sloppy else [40, 30, 20]
    field = ants.n4_bias_field_correction(
        ants_images.to_ants(np.maximum(coarse, 1e-3), affine),
        mask=ants_images.to_ants(coarse_mask, affine),
        shrink_factor=1,
        convergence={"iters": iterations, "tol": 1e-5},
        return_bias_field=True,
    ).numpy()
    # Outside the mask the spline runs free, so it is held to the range found inside.
    low, high = np.percentile(field[coarse_mask], [1, 99])
    field = np.clip(field, low, high)
    signal = geometry.bounding_box(data > 0)  # all else is zero, and most of a stripped scan is
    place = geometry.cropped_affine(image.affine, signal)
    fine = geometry.resample(field, affine, data[signal].shape, place, outside=None)
    data[signal] /= np.maximum(fine, 1e-3)
    return data
