"""Small synthetic brains with bright blobs, for the tests of the networks."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from synthtumour_bids.segmentation.cases import Case


def blob_brain(
    seed: int, shape: tuple[int, int, int] = (40, 48, 40)
) -> tuple[np.ndarray, np.ndarray]:
    """Textured ellipsoid with one bright sphere: image float32, label uint8, both (X, Y, Z)."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"))
    middle = (np.array(shape) - 1) / 2
    axes = np.array(shape) * 0.42
    offset = (grid - middle[:, None, None, None]) / axes[:, None, None, None]
    brain = (offset**2).sum(0) < 1
    texture = ndimage.gaussian_filter(rng.normal(size=shape), 1.5)
    image = 100 + 60 * texture / texture.std() * 0.25 + rng.normal(0, 4, shape)
    centre = middle + rng.uniform(-0.45, 0.45, 3) * axes
    radius = rng.uniform(0.12, 0.22) * min(shape)
    label = (((grid - centre[:, None, None, None]) ** 2).sum(0) < radius**2) & brain
    soft = ndimage.gaussian_filter(label.astype(float), 0.7)
    image = np.where(brain, image * (1 + soft * rng.uniform(0.6, 1.4)), 0)
    return image.astype(np.float32), label.astype(np.uint8)


def write_cases(
    folder: Path,
    n_train: int,
    n_validation: int,
    *,
    shape: tuple[int, int, int] = (40, 48, 40),
    voxel: float = 4.0,
) -> list[Case]:
    folder.mkdir(parents=True, exist_ok=True)
    affine = np.diag([voxel, voxel, voxel, 1.0])
    affine[:3, 3] = -voxel * (np.array(shape) - 1) / 2
    cases = []
    for i in range(n_train + n_validation):
        image, label = blob_brain(i, shape)
        paths = folder / f"case{i:03d}.nii.gz", folder / f"case{i:03d}_label.nii.gz"
        nib.save(nib.Nifti1Image(image, affine), paths[0])
        nib.save(nib.Nifti1Image(label, affine), paths[1])
        cases.append(Case(f"case{i:03d}", *paths, validation=i >= n_train))
    return cases
