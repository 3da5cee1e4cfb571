"""What scanner and preprocessing make of a stripped brain on the template grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from synthtumour_bids.simulation import ranges
from synthtumour_bids.simulation.fields import smooth_field

FWHM = 2.355  # of a Gaussian, in standard deviations


@dataclass(frozen=True)
class Scanner:
    """Imperfections of one scan.

    Attributes
    ----------
    axis
        Array axis across the slices.
    thickness
        mm of a slice; ``None``: isotropic.
    in_plane
        mm, standard deviation of the blur within slices.
    slice_gain
        Standard deviation of brightness from slice to slice; alternate ones differ most.
    noise
        Standard deviation, in multiples of white matter.
    shading
        Log units of what the bias correction left.
    sharpening
        Share of the detail that the scanner's filter adds.
    ghost, ghost_shift
        Share and mm of a ghost along array axis 1.
    gamma
        Exponent of the signal.
    """

    axis: int
    thickness: float | None
    in_plane: float
    slice_gain: float
    noise: float
    shading: float
    sharpening: float
    ghost: float
    ghost_shift: float
    gamma: float


def sample_scanner(rng: np.random.Generator) -> Scanner:
    """Draw a scan; slices are mostly axial."""
    thick = rng.random() < ranges.THICK_SHARE
    ghosts, sharp = rng.random() < 0.2, rng.random() < 0.4
    return Scanner(
        axis=int(rng.choice(3, p=(0.1, 0.1, 0.8))),
        thickness=ranges.THICKNESS.draw(rng) if thick else None,
        in_plane=ranges.IN_PLANE.draw(rng),
        slice_gain=ranges.SLICE_GAIN.draw(rng) if thick else 0.0,
        noise=ranges.NOISE.draw(rng),
        shading=ranges.SHADING.draw(rng),
        sharpening=ranges.SHARPENING.draw(rng) if sharp else 0.0,
        ghost=ranges.GHOST.draw(rng) if ghosts else 0.0,
        ghost_shift=float(rng.uniform(20, 80)),
        gamma=ranges.GAMMA.draw(rng),
    )


def scan(
    signal: np.ndarray, spacing: float, scanner: Scanner, rng: np.random.Generator
) -> np.ndarray:
    """Image a signal.

    Parameters
    ----------
    signal
        float32 (X, Y, Z), white matter 1, at least 0.
    spacing
        Voxel size, mm.
    scanner
        What is wrong with the image.
    rng
        Draws noise and shading.

    Returns
    -------
    float32 (X, Y, Z), white matter about 1, at least 0.
    """
    image = signal**scanner.gamma
    image = image * np.exp(scanner.shading * smooth_field(rng, signal.shape, spacing, 80))
    if scanner.ghost:
        shift = round(scanner.ghost_shift / spacing)
        image = image + scanner.ghost * np.roll(image, shift, axis=1)
    blur = [scanner.in_plane / spacing] * 3
    if scanner.thickness is not None:
        blur[scanner.axis] = scanner.thickness / FWHM / spacing
    if scanner.sharpening:
        image = image + scanner.sharpening * (image - ndimage.gaussian_filter(image, 1.5 / spacing))
    noise = [rng.standard_normal(signal.shape, dtype=np.float32) for _ in range(2)]
    image, real, imaginary = (ndimage.gaussian_filter(one, blur) for one in (image, *noise))
    scale = scanner.noise / max(float(real.std()), 1e-6)
    if scanner.slice_gain and scanner.thickness is not None:
        image = image * _gains(signal.shape, spacing, scanner, rng)
    values: np.ndarray = np.hypot(np.maximum(image, 0) + scale * real, scale * imaginary)
    return values


def _gains(
    shape: tuple[int, ...], spacing: float, scanner: Scanner, rng: np.random.Generator
) -> np.ndarray:
    """Brightness of each slice, along its axis."""
    thickness = scanner.thickness or spacing
    count = int(np.ceil(shape[scanner.axis] * spacing / thickness)) + 2
    gains = rng.standard_normal(count) * 0.5 + np.where(np.arange(count) % 2, 1, -1)
    position = (np.arange(shape[scanner.axis]) * spacing) / thickness
    along = 1 + scanner.slice_gain * np.interp(position, np.arange(count), gains)
    form = [1, 1, 1]
    form[scanner.axis] = -1
    values: np.ndarray = along.reshape(form).astype(np.float32)
    return values
