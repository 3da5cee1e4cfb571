"""The average head: ICBM152 2009a tissues from nilearn, with a skull, a scalp and a face around.

The maps that nilearn ships stop at the brain. What surrounds it is drawn as distances, so that
each subject can have its own thickness of bone and scalp.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import nibabel as nib
import numpy as np
from scipy import ndimage

ORIGIN = np.array([-98.0, -134.0, -110.0])  # mm, MNI; centre of the first voxel
SPACING = 2.0  # mm
SHAPE = (99, 121, 107)

EYES = ((-33.0, 62.0, -38.0), (33.0, 62.0, -38.0))  # mm, MNI
EYE_RADIUS = 12.0
LATERAL_VENTRICLE = (10.0, 14.0, 12.0)  # mm, MNI; a point in the right frontal horn
VENTRICLE_DEPTH = 18.0  # mm from the brain's surface: CSF deeper than this is ventricle


@dataclass(frozen=True)
class AverageHead:
    """Maps of one head on a 2 mm grid in MNI space, each float32 (X, Y, Z), RAS.

    Attributes
    ----------
    wm, gm, csf
        Tissue probabilities, zero outside the brain.
    brain_distance
        mm to the brain's surface, negative inside.
    head_distance
        mm to the skin, negative inside.
    ventricle_distance
        mm to the lateral and third ventricles, negative inside.
    ventricle_normal
        Direction away from the ventricles, fading with distance; (3, X, Y, Z).
    surface_depth
        mm inwards from the brain's outer surface, which here follows the interhemispheric
        fissure and the cisterns, too; negative outside.
    surface_foot
        Voxel coordinates of the nearest point of that surface, smoothed; (3, X, Y, Z).
    deep_distance
        mm to what no sulcus reaches: ventricles, deep grey matter, hippocampus.
    cerebrum
        Soft mask in [0, 1] without cerebellum and brain stem.
    eyes, orbits, airways
        Soft masks in [0, 1] of the globes, of the fat behind them and of the nose's cavities.
    """

    wm: np.ndarray
    gm: np.ndarray
    csf: np.ndarray
    brain_distance: np.ndarray
    head_distance: np.ndarray
    ventricle_distance: np.ndarray
    ventricle_normal: np.ndarray
    surface_depth: np.ndarray
    surface_foot: np.ndarray
    deep_distance: np.ndarray
    cerebrum: np.ndarray
    eyes: np.ndarray
    orbits: np.ndarray
    airways: np.ndarray


def to_voxels(points: np.ndarray) -> np.ndarray:
    """Turn MNI coordinates (3, ...) in mm into voxel coordinates of the maps."""
    values: np.ndarray = (points - ORIGIN.reshape(3, *[1] * (points.ndim - 1))) / SPACING
    return values


def signed_distance(mask: np.ndarray, spacing: float) -> np.ndarray:
    """Distance to the surface of a mask in mm, negative inside."""
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing)
    inside = ndimage.distance_transform_edt(mask, sampling=spacing)
    values: np.ndarray = (outside - inside).astype(np.float32)
    return values


def _ellipsoid(mm: np.ndarray, centre: tuple[float, ...], radii: tuple[float, ...]) -> np.ndarray:
    """Approximate signed distance in mm to an ellipsoid; ``inf`` radii make a cylinder."""
    offset = mm - np.array(centre).reshape(3, 1, 1, 1)
    scaled = np.sqrt(sum((offset[i] / radii[i]) ** 2 for i in range(3)))
    values: np.ndarray = (scaled - 1) * min(radii)
    return values


def positions() -> np.ndarray:
    """MNI coordinates of the maps' voxels in mm, float32 (3, X, Y, Z)."""
    axes = [o + SPACING * np.arange(n) for o, n in zip(ORIGIN, SHAPE, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij")).astype(np.float32)


def _ventricles(csf: np.ndarray, brain_distance: np.ndarray) -> np.ndarray:
    """Lateral and third ventricles: the deep CSF that hangs together with a frontal horn."""
    labels, _ = ndimage.label((csf > 0.5) & (brain_distance < -VENTRICLE_DEPTH))
    i, j, k = np.round(to_voxels(np.array(LATERAL_VENTRICLE))).astype(int)
    mask: np.ndarray = labels == labels[i - 2 : i + 3, j - 2 : j + 3, k - 2 : k + 3].max()
    return mask


def _cerebrum(mm: np.ndarray) -> np.ndarray:
    """Soft mask of what lies above the tentorium and in front of it."""
    x, y, z = mm
    roof = np.interp(y, (-110, -85, -62, -45, -30, 0), (-22, -20, -12, -8, -10, -20))
    tentorium = roof - 0.12 * np.abs(x)
    behind = np.clip((-28 - y + 0.35 * np.abs(x)) / 6, 0, 1) * np.clip((tentorium - z) / 4, 0, 1)
    stem = np.clip((20 - np.abs(x)) / 5, 0, 1) * np.clip((-6 - z) / 5, 0, 1)
    stem = stem * np.clip((-4 - y) / 5, 0, 1)
    values: np.ndarray = (1 - np.maximum(behind, stem)).astype(np.float32)
    return values


def _surface(
    mm: np.ndarray, brain: np.ndarray, csf: np.ndarray, ventricles: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Depth below the surface on which sulci open, and each voxel's nearest point of it."""
    fissure = (np.abs(mm[0]) < 1) & (csf > 0.25) & (mm[2] > -10)
    fluid = ((csf > 0.5) | fissure) & ~ndimage.binary_dilation(ventricles, iterations=2)
    labels, _ = ndimage.label(~brain | fluid, np.ones((3, 3, 3)))
    outside = labels == labels[0, 0, 0]
    depth, feet = ndimage.distance_transform_edt(~outside, sampling=SPACING, return_indices=True)
    depth = depth - ndimage.distance_transform_edt(outside, sampling=SPACING)
    foot = ndimage.gaussian_filter(feet.astype(np.float32), (0, 1.5, 1.5, 1.5))
    return ndimage.gaussian_filter(depth.astype(np.float32), 0.6), foot


def _deep(
    mm: np.ndarray, gm: np.ndarray, depth: np.ndarray, ventricle_distance: np.ndarray
) -> np.ndarray:
    """What no sulcus reaches."""
    x, y, z = np.abs(mm[0]), mm[1], mm[2]
    nuclei = (gm > 0.35) & (depth > 6) & (x < 34) & (y > -38) & (y < 24) & (z > -14) & (z < 24)
    limbic = _ellipsoid(np.stack([x, y, z]), (25, -20, -16), (11, 22, 9)) < 0
    mask: np.ndarray = (ventricle_distance < 5) | nuclei | limbic
    return mask


@lru_cache(maxsize=1)
def average_head() -> AverageHead:
    """Build the average head (about two seconds, once per process)."""

    def on_grid(source: nib.Nifti1Image) -> np.ndarray:
        values = source.get_fdata(dtype=np.float32)
        if not np.allclose(source.affine[:3, :3], np.eye(3) * SPACING):
            raise ValueError("the tissue maps are not on a 2 mm grid in RAS order")
        start = np.round(to_voxels(source.affine[:3, 3])).astype(int)
        after = np.array(SHAPE) - start - values.shape
        before = np.maximum(start, 0)
        placed = np.pad(values, [(b, max(a, 0)) for b, a in zip(before, after, strict=True)])
        cut = tuple(slice(max(0, -s), max(0, -s) + n) for s, n in zip(start, SHAPE, strict=True))
        return np.clip(placed[cut], 0, 1)

    from nilearn import datasets

    brain = on_grid(datasets.load_mni152_brain_mask(resolution=2)) > 0.5
    gm = on_grid(datasets.load_mni152_gm_template(resolution=2)) * brain
    wm = on_grid(datasets.load_mni152_wm_template(resolution=2)) * brain
    csf = np.clip(1 - gm - wm, 0, 1) * brain

    mm = positions()
    brain_distance = signed_distance(brain, SPACING)
    ventricles = _ventricles(csf, brain_distance)
    ventricle_distance = ndimage.gaussian_filter(signed_distance(ventricles, SPACING), 0.7)
    smooth = ndimage.gaussian_filter(ventricle_distance, 1.5)
    normal = np.stack(np.gradient(smooth, SPACING)).astype(np.float32)
    normal /= np.maximum(np.linalg.norm(normal, axis=0), 0.8)
    cerebrum = _cerebrum(mm)
    depth, foot = _surface(mm, brain, csf, ventricles)
    deep = _deep(mm, gm, depth, ventricle_distance)

    # The vault follows the brain; closing it first keeps the skin from sinking into fissures.
    hull = ndimage.gaussian_filter(brain.astype(np.float32), 8 / SPACING) > 0.35
    vault = signed_distance(hull | brain, SPACING) - 13
    face = _ellipsoid(mm, (0, 28, -62), (62, 64, 72))
    nose = _ellipsoid(mm, (0, 92, -62), (14, 16, 24))
    neck = np.maximum(_ellipsoid(mm, (0, -34, -90), (60, 62, np.inf)), mm[2] + 55)
    parts = np.stack([vault, face, nose, neck])
    # A soft minimum rounds the seams between the parts.
    head_distance = -6 * np.log(np.exp(-parts / 6).sum(0))
    head_distance = ndimage.gaussian_filter(head_distance.astype(np.float32), 1.5)

    outside_brain = np.clip(brain_distance / 4, 0, 1)
    globes = np.minimum(*[_ellipsoid(mm, eye, (EYE_RADIUS,) * 3) for eye in EYES])
    sockets = np.minimum(*[_ellipsoid(mm, (0.85 * x, y - 14, z), (15, 24, 17)) for x, y, z in EYES])
    nasal = np.minimum.reduce(
        [
            _ellipsoid(mm, (0, 52, -58), (11, 28, 20)),
            _ellipsoid(mm, (-30, 50, -68), (13, 16, 14)),
            _ellipsoid(mm, (30, 50, -68), (13, 16, 14)),
            _ellipsoid(mm, (0, 14, -88), (12, 14, 26)),
            _ellipsoid(mm, (0, 77, -16), (18, 5, 10)),
        ]
    )

    def soft(distance: np.ndarray) -> np.ndarray:
        return (np.clip(0.5 - distance / 3, 0, 1) * outside_brain).astype(np.float32)

    return AverageHead(
        wm=wm.astype(np.float32),
        gm=gm.astype(np.float32),
        csf=csf.astype(np.float32),
        brain_distance=ndimage.gaussian_filter(brain_distance, 0.7),
        head_distance=head_distance,
        ventricle_distance=ventricle_distance,
        ventricle_normal=normal,
        surface_depth=depth,
        surface_foot=foot,
        deep_distance=ndimage.gaussian_filter(signed_distance(deep, SPACING), 1),
        cerebrum=cerebrum,
        eyes=soft(globes),
        orbits=soft(sockets),
        airways=soft(nasal),
    )
