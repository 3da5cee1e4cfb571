"""Training samples that are drawn when they are wanted, instead of stored beforehand."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from nnunetv2.preprocessing.cropping.cropping import crop_to_nonzero
from nnunetv2.preprocessing.normalization.default_normalization_schemes import (
    ZScoreNormalization,
)
from numpy.typing import NDArray

LOCATIONS = 1000  # voxels of each class that patches may be centred on
NAME = "drawn"


class Draw(Protocol):
    """Draws training samples; must be picklable.

    Attributes
    ----------
    fingerprint
        Hash of everything that samples depend on besides the random numbers.
    """

    @property
    def fingerprint(self) -> str:
        """See the class."""

    def __call__(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Draw one scan and its label, both (X, Y, Z); the scan is 0 outside the brain."""


class DrawnCases:
    """Stands in for nnU-Net's dataset: every look at it draws a new case.

    A case is cropped and z-scored as stored ones are, and follows from numpy's global generator,
    which :class:`.Batches` seeds anew for each sample.

    Parameters
    ----------
    draw
        Makes the samples.
    classes
        Labels of the tumour classes.
    """

    def __init__(self, draw: Draw, classes: list[int]) -> None:
        self.identifiers = [NAME]
        self._draw = draw
        self._classes = classes

    def load_case(self, _: str) -> tuple[Any, Any, None, dict[str, Any]]:
        """Draw a case: image and label as (1, Z, Y, X), nothing, and where the classes lie."""
        rng = np.random.default_rng(np.random.randint(2**31, size=4))  # noqa: NPY002
        image, label = self._draw(rng)
        # Cropping marks what lies outside the brain with -1, as nnU-Net's augmentation expects.
        data, seg, _ = crop_to_nonzero(image.T[None], label.T[None].astype(np.int8))
        normalise = ZScoreNormalization(use_mask_for_norm=True, intensityproperties={})
        data = normalise.run(data[0], seg[0])[None]
        locations = {}
        for k in self._classes:
            voxels = np.argwhere(seg == k)
            if len(voxels) > LOCATIONS:
                voxels = voxels[rng.choice(len(voxels), LOCATIONS, replace=False)]
            locations[k] = voxels
        return data, seg, None, {"class_locations": locations}
