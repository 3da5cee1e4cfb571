"""Tiny scans with and without two-class tumours, to test fabrication on."""

from __future__ import annotations

import numpy as np

from synthtumour_bids.synthesis.fabrication.scans import BrainScan, make_scan

SHAPE = (30, 34, 26)
SPACING = (4.0, 4.0, 4.0)


def brain_of(shape=SHAPE) -> np.ndarray:
    """An ellipsoid that leaves two voxels free at every side."""
    axes = [(np.arange(n) - (n - 1) / 2) / (n / 2 - 2) for n in shape]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    return x**2 + y**2 + z**2 < 1


def ball(centre, radius_mm, shape=SHAPE, spacing=SPACING) -> np.ndarray:
    """Voxels within a distance of a voxel."""
    grid = np.indices(shape)
    offsets = [(g - c) * s for g, c, s in zip(grid, centre, spacing, strict=True)]
    return sum(o**2 for o in offsets) < radius_mm**2


def images_of(brain, seed, contrasts=2) -> np.ndarray:
    """White noise on a smooth ramp, another scale in each contrast."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(-1, 1, brain.shape[1])[None, :, None]
    stack = [
        (100 + 50 * c) + 4 * ramp + rng.normal(0, 5, brain.shape) for c in range(1, contrasts + 1)
    ]
    return np.where(brain, np.stack(stack), 0).astype(np.float32)


def host(seed=0, shape=SHAPE, spacing=SPACING, contrasts=2) -> BrainScan:
    """A tumour-free scan."""
    brain = brain_of(shape)
    return make_scan(images_of(brain, seed, contrasts), brain, spacing, f"host{seed}")[0]


def annotated(
    seed=0, centre=(11, 14, 12), shape=SHAPE, spacing=SPACING, contrasts=2, radius_mm=18.0
) -> BrainScan:
    """A scan with a ball of class 1, bright, around a core of class 2, dark."""
    brain = brain_of(shape)
    images = images_of(brain, 100 + seed, contrasts)
    classes = ball(centre, radius_mm, shape, spacing).astype(np.uint8)
    classes += ball(centre, radius_mm / 2, shape, spacing)
    images[:, classes == 1] += 40
    images[:, classes == 2] -= 30
    return make_scan(images, brain, spacing, f"tumour{seed}", classes)[0]
