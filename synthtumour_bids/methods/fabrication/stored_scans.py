"""Scans as fabrication wants them, in files that are read one at a time.

Brightness is on the common scale of :mod:`synthtumour_bids.synthesis.fabrication.scans`. The same
files serve the segmentation networks, which bring every scan to a scale of their own. They are
not compressed, so that single patches can be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.files import replacing
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.synthesis.fabrication.lesions import AnnotatedLesion
from synthtumour_bids.synthesis.fabrication.scans import BrainScan
from synthtumour_bids.volumes import load_nifti


@dataclass(frozen=True)
class StoredScan:
    """Files of a host, an annotated scan or a sample.

    Attributes
    ----------
    name
        Unique among them.
    images
        One a contrast.
    brain, label
        Brain mask and tumour classes; a host has no label.
    source
        BIDS URI of the scan, or the sample's name.
    persons
        Whose brain and lesions are in it; see ``Scan.person``.
    """

    name: str
    images: tuple[Path, ...]
    brain: Path
    label: Path | None
    source: str
    persons: frozenset[str] = frozenset()

    def load(self) -> BrainScan:
        """Read it; images of one contrast stay on disk until they are looked at."""
        proxies = [load_nifti(path) for path in self.images]
        arrays = [np.asanyarray(proxy.dataobj) for proxy in proxies]
        brain = np.asanyarray(load_nifti(self.brain).dataobj) > 0
        classes = (
            np.zeros(brain.shape, np.uint8)
            if self.label is None
            else np.asanyarray(load_nifti(self.label).dataobj)
        )
        x, y, z = (float(size) for size in nib.affines.voxel_sizes(proxies[0].affine))
        images = arrays[0][None] if len(arrays) == 1 else np.stack(arrays)
        return BrainScan(images, classes, brain, (x, y, z), self.source)

    def case(self, *, validation: bool, kind: str) -> Case:
        """Give it to a segmentation network; `kind` is what such cases are called.

        Raises
        ------
        ValueError
            For a host: it has no label.
        """
        if self.label is None:
            msg = f"{self.name} has no label to learn from."
            raise ValueError(msg)
        return Case(
            self.name,
            self.images[0],
            self.label,
            validation,
            self.images[1:],
            persons=self.persons,
            kind=kind,
        )

    def to_json(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return {
            "name": self.name,
            "images": [str(path) for path in self.images],
            "brain": str(self.brain),
            "label": None if self.label is None else str(self.label),
            "source": self.source,
            "persons": sorted(self.persons),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> StoredScan:
        """Rebuild from what :meth:`to_json` gave, possibly through a file."""
        return cls(
            data["name"],
            tuple(map(Path, data["images"])),
            Path(data["brain"]),
            None if data["label"] is None else Path(data["label"]),
            data["source"],
            frozenset(data.get("persons", ())),  # 0.1.0 did not record them
        )


class StoredScans(Sequence[BrainScan]):
    """Scans that are read when they are asked for."""

    def __init__(self, files: Sequence[StoredScan]) -> None:
        self.files = tuple(files)

    def __len__(self) -> int:
        return len(self.files)

    @overload
    def __getitem__(self, index: int) -> BrainScan: ...
    @overload
    def __getitem__(self, index: slice) -> StoredScans: ...
    def __getitem__(self, index: int | slice) -> BrainScan | StoredScans:
        if isinstance(index, slice):
            return StoredScans(self.files[index])
        return self.files[index].load()


def store_images(
    images: NDArray[np.float32],
    affine: NDArray[np.float64],
    folder: Path,
    name: str,
    sidecar: Mapping[str, Any],
) -> tuple[Path, ...]:
    """Write contrasts, (C, X, Y, Z), as one NIfTI file each."""
    paths = tuple(folder / f"{name}_image{c}.nii" for c in range(len(images)))
    for path, image in zip(paths, images, strict=True):
        write_image(path, nib.Nifti1Image(np.asarray(image, np.float32), affine), sidecar)
    return paths


def store_label(
    label: NDArray[Any], affine: NDArray[np.float64], folder: Path, name: str, kind: str
) -> Path:
    """Write a brain mask or tumour classes."""
    path = folder / f"{name}_{kind}.nii"
    write_image(path, nib.Nifti1Image(np.asarray(label, np.uint8), affine), {})
    return path


def store_lesion(lesion: AnnotatedLesion, path: Path) -> Path:
    """Write a lesion that was cut out."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            images=lesion.images,
            classes=lesion.classes,
            known=lesion.known,
            start=lesion.start,
            grid=lesion.grid,
            spacing=lesion.spacing,
            source=lesion.source,
        )
    return path


def load_lesion(path: Path) -> AnnotatedLesion:
    """Read a lesion that was cut out."""
    with np.load(path) as saved:
        return AnnotatedLesion(
            images=saved["images"],
            classes=saved["classes"],
            known=saved["known"],
            start=tuple(saved["start"].tolist()),
            grid=tuple(saved["grid"].tolist()),
            spacing=tuple(saved["spacing"].tolist()),
            source=str(saved["source"]),
        )
