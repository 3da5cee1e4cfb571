"""A small brain to test on: an ellipsoid with sulcal CSF, cortex, white matter and ventricles."""

from __future__ import annotations

import numpy as np

SEMI_AXES_MM = (62.0, 78.0, 58.0)
LEVELS = {"csf": 40.0, "cortex": 120.0, "white": 100.0}


def ellipsoid_brain(spacing=(2.0, 2.0, 2.0), seed=0, noise=3.0):
    """Image (float32, zero outside), brain (bool) and spacing; about 1.2 L."""
    shape = [int(np.ceil(2 * r / s)) + 6 for r, s in zip(SEMI_AXES_MM, spacing, strict=True)]
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    a, b, c = SEMI_AXES_MM
    radius = np.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2)
    image = np.full(shape, LEVELS["white"])
    image[radius > 0.85] = LEVELS["cortex"]
    image[(radius > 0.7) & (np.sin(x / 4) * np.sin(y / 4) * np.sin(z / 4) > 0.5)] = LEVELS["csf"]
    image[((np.abs(x) - 9) / 6) ** 2 + (y / 25) ** 2 + ((z - 5) / 10) ** 2 < 1] = LEVELS["csf"]
    image += np.random.default_rng(seed).normal(0, noise, shape)
    brain = radius < 1
    return np.where(brain, image, 0).astype(np.float32), brain, tuple(spacing)
