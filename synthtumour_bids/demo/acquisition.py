"""What the scanner does: orientation, slice thickness, coil shading, noise, numbers on disk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthtumour_bids.simulation.fields import smooth_field
from synthtumour_bids.simulation.subject import rotation_matrix

# Field of view around the head's middle in MNI, mm: whole head, cut below the jaw.
LOW = np.array([-96.0, -128.0, -98.0])
HIGH = np.array([96.0, 112.0, 104.0])


@dataclass(frozen=True)
class Acquisition:
    """How one scan is taken.

    Attributes
    ----------
    orientation
        ``"RAS"`` or ``"LAS"``: direction of the first voxel axis.
    slice_thickness
        mm along the third axis; ``None`` keeps the voxels isotropic.
    tilt
        Degrees of the slices' rotation about x, y, z (oblique scans).
    stripped
        The brain alone is delivered.
    """

    orientation: str = "RAS"
    slice_thickness: float | None = None
    tilt: tuple[float, float, float] = (0.0, 0.0, 0.0)
    stripped: bool = False


@dataclass(frozen=True)
class Scanner:
    """Imperfections of one scan: shading (log units), noise relative to white matter, scale."""

    shading: float
    noise: float
    scale: float
    field_strength: float


def sample_scanner(rng: np.random.Generator) -> Scanner:
    """Draw a scanner; the scale of the numbers varies more than tenfold between scanners."""
    return Scanner(
        shading=float(rng.uniform(0.06, 0.16)),
        noise=float(rng.uniform(0.015, 0.04)),
        scale=float(np.exp(rng.uniform(np.log(150), np.log(2500)))),
        field_strength=float(rng.choice([1.5, 3.0])),
    )


def fine_grid(
    acquisition: Acquisition, resolution: float
) -> tuple[tuple[int, int, int], np.ndarray]:
    """Isotropic grid, along the scan's axes, that the head is drawn on: shape and affine."""
    x, y, z = (int(n) for n in np.round((HIGH - LOW) / resolution))
    z -= z % slices_per_block(acquisition, resolution)
    axes = rotation_matrix(acquisition.tilt) * resolution
    if acquisition.orientation == "LAS":
        axes[:, 0] *= -1
    middle = (LOW + HIGH) / 2
    affine = np.eye(4)
    affine[:3, :3] = axes
    affine[:3, 3] = middle - axes @ ((np.array([x, y, z]) - 1) / 2)
    return (x, y, z), affine


def slices_per_block(acquisition: Acquisition, resolution: float) -> int:
    """How many fine slices one slice of the scan averages."""
    return max(1, round((acquisition.slice_thickness or resolution) / resolution))


def thicken(values: np.ndarray, block: int) -> np.ndarray:
    """Average blocks of slices (partial volume of thick slices); (X, Y, Z) to (X, Y, Z/block)."""
    x, y, z = values.shape
    result: np.ndarray = values.reshape(x, y, z // block, block).mean(axis=3)
    return result


def thick_affine(affine: np.ndarray, block: int) -> np.ndarray:
    """Affine of the grid after :func:`thicken`."""
    thick = affine.copy()
    thick[:3, 3] += affine[:3, 2] * (block - 1) / 2
    thick[:3, 2] *= block
    return thick


def shade(
    signal: np.ndarray, spacing: float, scanner: Scanner, rng: np.random.Generator
) -> np.ndarray:
    """Multiply by a smooth coil sensitivity."""
    values: np.ndarray = signal * np.exp(
        scanner.shading * smooth_field(rng, signal.shape, spacing, 90)
    )
    return values


def add_noise(signal: np.ndarray, scanner: Scanner, rng: np.random.Generator) -> np.ndarray:
    """Rician noise: the magnitude of a complex signal with Gaussian noise in both channels."""
    real = signal + scanner.noise * rng.standard_normal(signal.shape, dtype=np.float32)
    imaginary = scanner.noise * rng.standard_normal(signal.shape, dtype=np.float32)
    values: np.ndarray = np.hypot(real, imaginary)
    return values
