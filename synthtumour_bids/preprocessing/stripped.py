"""Recognising scans whose skull has already been removed, and reading the mask off them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from synthtumour_bids.preprocessing.distances import distance_to
from synthtumour_bids.preprocessing.geometry import bounding_box

# An adult brain with its fluid rarely exceeds 1.9 L; a head with skull that is covered from the
# crown to the skull base has more than 2.5 L.
_LARGEST_BRAIN_ML = 2200.0
_LAYER_MM = 2.0
_DEEP_MM = 20.0  # no bone reaches so far in
_FEWEST_VOXELS = 100
# Bone is darker than the scalp before it and the brain behind it; layers of a stripped brain are
# hardly ever darker than what lies around them.
_DARKER = 0.8
_DIP = 0.95


def background_value(data: np.ndarray) -> float | None:
    """Return the constant outside the object, or ``None`` when there is no constant background.

    Parameters
    ----------
    data
        Image (X, Y, Z).
    """
    border = np.concatenate(
        [data[[0, -1]].ravel(), data[:, [0, -1]].ravel(), data[:, :, [0, -1]].ravel()]
    )
    values, counts = np.unique(border, return_counts=True)
    value = float(values[np.argmax(counts)])
    return value if counts.max() > 0.5 * border.size else None


def stripped_mask(data: np.ndarray, spacing: np.ndarray) -> np.ndarray | None:
    """Return the brain mask of an already stripped scan, ``None`` for a scan with skull.

    Parameters
    ----------
    data
        Image (X, Y, Z).
    spacing
        Voxel sizes in mm, shape (3,).

    Returns
    -------
    numpy.ndarray or None
        bool, (X, Y, Z).
    """
    background = background_value(data)
    if background is None:
        return None
    objects = data != background
    box = bounding_box(objects, margin=1)
    brain = solid_component(objects[box])
    volume = float(brain.sum()) * float(np.prod(spacing)) / 1000
    if not 0 < volume < _LARGEST_BRAIN_ML or has_skull(data[box], objects[box], spacing):
        return None
    mask = np.zeros(data.shape, dtype=bool)
    mask[box] = brain
    return mask


def has_skull(data: np.ndarray, mask: np.ndarray, spacing: np.ndarray) -> bool:
    """Whether an object with zeroed air around it is a head: bright scalp, dark bone, brain.

    The part of a head that few slices show may be as small as a brain. Going in from the surface
    of a head, there comes a dark layer beneath a brighter one; a brain only gets brighter.

    Parameters
    ----------
    data
        Image (X, Y, Z).
    mask
        The object, bool (X, Y, Z).
    spacing
        Voxel sizes in mm, shape (3,).
    """
    whole = np.array(mask)
    for axis in range(3):  # bone may be 0, too, and open to the first and last slice
        plane = ndimage.generate_binary_structure(3, 1)
        plane[tuple(slice(None, None, 2) if other == axis else 1 for other in range(3))] = False
        whole |= ndimage.binary_fill_holes(mask, plane)
    depth = distance_to(~whole, spacing)
    inner = data[depth > _DEEP_MM]
    if inner.size < _FEWEST_VOXELS:
        return False
    thickness = max(_LAYER_MM, float(np.min(spacing)))
    values = [
        data[(depth > start) & (depth <= start + thickness)]
        for start in np.arange(0, _DEEP_MM, thickness)
    ]
    layers = [float(np.median(one)) for one in (*values, inner) if one.size]
    return any(
        layers[bone] < _DARKER * max(layers[:bone]) and layers[bone] < _DIP * max(layers[bone:])
        for bone in range(1, len(layers) - 1)
    )


def solid_component(mask: np.ndarray) -> np.ndarray:
    """Return the largest connected part of a mask with its cavities filled."""
    solid = np.zeros(mask.shape, dtype=bool)
    box = bounding_box(mask)
    labels, count = ndimage.label(mask[box])
    if count:
        largest = np.bincount(labels[mask[box]]).argmax()
        solid[box] = ndimage.binary_fill_holes(labels == largest)
    return solid
