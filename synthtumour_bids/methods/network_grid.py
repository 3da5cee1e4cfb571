"""The template grid of a network that is of another resolution than the run's: there, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.errors import UnusableScanError
from synthtumour_bids.files import replacing
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Scratch
from synthtumour_bids.preprocessing.geometry import resample
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.volumes import (
    HEADER_ERRORS,
    VOXEL_ERRORS,
    Volume,
    load_volume,
    template_image,
)

VERSION = "2"


@dataclass(frozen=True)
class NetworkGrid:
    """Where a network sees the scans of a run.

    Attributes
    ----------
    resolution, run_resolution
        Voxel sizes of the network's template grid and of the run's, mm.
    folder
        For images on the network's grid.
    """

    resolution: float
    run_resolution: float
    folder: Path

    @classmethod
    def of(cls, job: Job, resolution: float) -> NetworkGrid:
        """Of a network of this resolution."""
        layout = job.layout
        folder = layout.scratch(Scratch.PREDICTIONS, f"images-{resolution:g}mm")
        return cls(resolution, layout.resolution, folder)

    @property
    def is_that_of_the_run(self) -> bool:
        """Whether there is nothing to carry."""
        return self.resolution == self.run_resolution

    def to_json(self) -> dict[str, str]:
        """Return what the fingerprints of maps tell of it.

        Those carried by version 1 may be of another scan, of the same name in another dataset.
        """
        return {} if self.is_that_of_the_run else {"carried": VERSION}

    def images(self, paths: Sequence[Path], slug: str) -> tuple[Path, ...]:
        """Carry the images of a scan to this grid; return where they lie.

        What cannot be read is left where it is, for the prediction to say so of this scan alone.

        Parameters
        ----------
        paths
            Of the images.
        slug
            Of the scan: those of several datasets may have the same file names.
        """
        if self.is_that_of_the_run:
            return tuple(paths)
        return tuple(self._carried(path, self.folder / slug / path.name) for path in paths)

    def _carried(self, path: Path, target: Path) -> Path:
        try:
            volume = load_volume(path)
        except (*HEADER_ERRORS, *VOXEL_ERRORS):
            return path
        standard = standard_brain(self.resolution)
        _write(sampled(volume, standard), standard, target)
        return target

    def carry_back(self, probability: Path, brain: Path) -> None:
        """Replace probabilities on this grid by those on the run's, 0 outside the scan's brain.

        Raises
        ------
        UnusableScanError
            When the mask of the brain cannot be read.
        """
        if self.is_that_of_the_run:
            return
        try:
            inside = load_volume(brain).mask
        except (*HEADER_ERRORS, *VOXEL_ERRORS) as error:
            msg = f"The brain mask {brain} cannot be read ({error})."
            raise UnusableScanError(msg) from error
        values = self.back(load_volume(probability).data, inside)
        _write(values, standard_brain(self.run_resolution), probability)

    def forth(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Carry images on the run's grid, (C, X, Y, Z), to this grid."""
        if self.is_that_of_the_run:
            return images
        run, standard = map(standard_brain, (self.run_resolution, self.resolution))
        size = (self.run_resolution,) * 3
        return np.stack([sampled(Volume(one, run.affine, size), standard) for one in images])

    def back(
        self, probability: NDArray[np.float32], brain: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Carry probabilities on this grid, (X, Y, Z), to the run's, 0 outside a brain there."""
        if self.is_that_of_the_run:
            return probability
        here, run = map(standard_brain, (self.resolution, self.run_resolution))
        values = resample(probability, here.affine, run.shape, run.affine)
        return np.where(brain, values.clip(0, 1), np.float32(0))


def sampled(volume: Volume, standard: nib.Nifti1Image) -> NDArray[np.float32]:
    """Values of an image on another template grid, not averaged, as preprocessing samples scans.

    Parameters
    ----------
    volume
        On a template grid.
    standard
        The standard brain on the other: coarser by a whole number of voxels, where the voxels
        of the two coincide, or finer, where values in between are interpolated.
    """
    coarser = nib.affines.voxel_sizes(standard.affine)[0] > volume.spacing[0]
    values: NDArray[np.float32] = resample(
        volume.data, volume.affine, standard.shape, standard.affine, order=0 if coarser else 1
    )
    return values


def _write(values: NDArray[np.float32], standard: nib.Nifti1Image, path: Path) -> None:
    image = template_image(values.astype(np.float32), standard.affine)
    with replacing(path) as partial:
        nib.save(image, partial)
