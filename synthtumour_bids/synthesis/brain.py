"""A skull-stripped scan as a value: the host of a synthetic tumour, or a patient's brain."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .geometry import Mask, Numbers, Spacing


@dataclass(frozen=True, eq=False)
class Brain:
    """One scan, and what is known of its tissue; all arrays share one grid.

    Lengths are mm from the array's first voxel along its axes, so the orientation of the array
    never matters.

    Attributes
    ----------
    image
        Skull-stripped scan, (X, Y, Z), any type and scale, zero outside the brain.
    mask
        Where the brain is, (X, Y, Z): bool, or numbers that are above 0 there.
    spacing
        Voxel size along the array's axes, mm.
    white_matter
        Probability of white matter, in [0, 1], which lesions follow; without it they spread alike
        in all tissue.
    placement
        Non-negative weights of where tumours may be centred, such as the probability of tissue;
        without them the scan's brightness tells tissue from CSF.

    Raises
    ------
    ValueError
        If the arrays do not share a 3-D grid, hold values that are not finite, or a voxel size or
        a weight is out of range.
    """

    image: Numbers
    mask: Mask
    spacing: Spacing
    white_matter: Numbers | None = None
    placement: Numbers | None = None

    def __post_init__(self) -> None:
        image, mask = np.asarray(self.image), np.asarray(self.mask)
        if image.ndim != 3 or image.shape != mask.shape:
            raise ValueError(
                "Image and brain mask must be 3-D on one grid; got shapes "
                f"{image.shape} and {mask.shape}."
            )
        if len(self.spacing) != 3 or not all(size > 0 for size in self.spacing):
            raise ValueError(f"Three voxel sizes above 0 mm are needed; got {self.spacing}.")
        _check_finite(image, "The image")
        _check_map(self.white_matter, "The probability of white matter", image.shape)
        _check_map(self.placement, "The placement", image.shape)
        if self.placement is not None and self.placement.min() < 0:
            raise ValueError(
                f"Weights of placement must not be negative; found {self.placement.min():g}."
            )
        object.__setattr__(self, "image", image)
        object.__setattr__(self, "mask", mask if mask.dtype == bool else mask > 0)

    @cached_property
    def normal(self) -> float:
        """Brightness of normal brain: the median; 1 for an empty mask."""
        return normal_intensity(self.image, self.mask)


def normal_intensity(image: Numbers, brain: Mask) -> float:
    """Median of the brain, from every third voxel along each axis; 1 for an empty mask.

    Parameters
    ----------
    image, brain
        Scan and brain mask, (X, Y, Z).
    """
    thin = (slice(None, None, 3),) * 3
    values = image[thin][brain[thin]]
    if not values.size:
        values = image[brain]
    return float(np.median(values)) if values.size else 1.0


def _check_map(values: NDArray[Any] | None, what: str, shape: tuple[int, ...]) -> None:
    if values is None:
        return
    if values.shape != shape:
        raise ValueError(
            f"{what} must lie on the same grid as the image; got shapes {values.shape} and {shape}."
        )
    _check_finite(values, what)


def _check_finite(values: NDArray[Any], what: str) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        count = finite.size - np.count_nonzero(finite)
        raise ValueError(f"{what} must hold finite numbers; {count} voxel(s) are NaN or infinite.")
