"""Images of the output dataset, each with its sidecar."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib

from synthtumour_bids.bids.names import IMAGE_EXTENSIONS
from synthtumour_bids.files import replacing, write_json


def write_image(path: Path, image: nib.Nifti1Image, sidecar: Mapping[str, Any]) -> None:
    """Write an image and the JSON file beside it.

    The sidecar comes last: where it is, the image is whole and belongs to it. An image that is
    there already and is the same keeps its time of change, which tells those who work on it that it
    is: a training goes on.

    Parameters
    ----------
    path
        Ends in ``.nii.gz`` or ``.nii``.
    image
        As to be written; its data type is kept.
    sidecar
        Metadata; an empty one is written, too.
    """
    description = sidecar_path(path)
    description.unlink(missing_ok=True)
    with replacing(path) as temporary:
        nib.save(image, temporary)
        if path.is_file() and filecmp.cmp(path, temporary, shallow=False):
            os.utime(temporary, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    write_json(description, sidecar)


def remove_outputs(paths: Iterable[Path]) -> None:
    """Remove files, those of them that are there, and the sidecars of images."""
    for path in paths:
        path.unlink(missing_ok=True)
        if path.name.endswith(IMAGE_EXTENSIONS):
            sidecar_path(path).unlink(missing_ok=True)


def sidecar_path(path: Path) -> Path:
    """Path of the JSON file beside an image."""
    for extension in IMAGE_EXTENSIONS:
        if path.name.endswith(extension):
            return path.with_name(path.name.removesuffix(extension) + ".json")
    msg = f"{path.name} is not named like an image: {' or '.join(IMAGE_EXTENSIONS)}."
    raise ValueError(msg)
