"""Interactive view of a segmented scan: one page, its data as a script, and NiiVue beside them.

Browsers let no page read files beside it when it is opened from a folder; a script is an exception.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthtumour_bids.files import copy_file, hash_file, write_text
from synthtumour_bids.reports.slices import box_around, cropped, window
from synthtumour_bids.reports.templates import write_page
from synthtumour_bids.volumes import Volume

LIBRARY = Path(str(resources.files("synthtumour_bids") / "data" / "niivue" / "niivue.umd.js"))
LARGEST_BYTES = 5_000_000  # of a scan's data
MARGIN_MM = 10.0
PROBABILITY_STEPS = 200
MOST_LESIONS = 20


@dataclass(frozen=True)
class Lesion:
    """A part of the tumour mask to jump to: its volume and a place in it, mm."""

    volume_ml: float
    place: tuple[float, float, float]


def lesions_of(mask: Volume) -> list[Lesion]:
    """Parts of a mask (26-connected), the largest first, each by a voxel in its middle."""
    parts, _ = ndimage.label(mask.mask, np.ones((3, 3, 3)))
    voxel_ml = float(np.prod(mask.spacing)) / 1000
    lesions = []
    for number, box in enumerate(ndimage.find_objects(parts), 1):
        voxels = np.argwhere(parts[box] == number) + [part.start for part in box]
        distance = np.linalg.norm((voxels - voxels.mean(axis=0)) * mask.spacing, axis=1)
        x, y, z = nib.affines.apply_affine(mask.affine, voxels[int(np.argmin(distance))])
        lesions.append(Lesion(round(len(voxels) * voxel_ml, 2), (float(x), float(y), float(z))))
    return sorted(lesions, key=lambda lesion: -lesion.volume_ml)[:MOST_LESIONS]


def write_viewer(
    scan: Volume,
    brain: Volume,
    mask: Volume,
    probability: Volume,
    *,
    title: str,
    page: Path,
    library: Path,
) -> float:
    """Write the page and its data, and the library where it is not there yet.

    Nothing outside the brain mask is in the data: they hold no face.

    Parameters
    ----------
    scan, brain, mask, probability
        On one grid, in RAS order.
    title
        Name of the scan.
    page
        HTML file to write; the data lie beside it, as ``.js``.
    library
        Where NiiVue is to lie; pages of all scans share it.

    Returns
    -------
    By what factor the grid was coarsened to keep the data below 5 MB; 1 for not at all.
    """
    lesions = lesions_of(mask)
    box = box_around(brain.mask, brain.spacing, MARGIN_MM)
    shown = [cropped(volume, box) for volume in (scan, brain, mask, probability)]
    text, factor = _data(shown, lesions), 1
    while len(text) > LARGEST_BYTES:
        factor *= 2
        text = _data([_coarser(volume, factor) for volume in shown], lesions)
    data = page.with_suffix(".js")
    write_text(data, text)
    if not library.is_file() or hash_file(library) != hash_file(LIBRARY):
        copy_file(LIBRARY, library)
    write_page(
        page,
        "viewer.html",
        title=title,
        data=data.name,
        library=Path(os.path.relpath(library, page.parent)).as_posix(),
        lesions=lesions,
        factor=factor,
    )
    return float(factor)


def _data(shown: Sequence[Volume], lesions: Sequence[Lesion]) -> str:
    """The script that holds scan, brain, mask and probability, as NIfTI files in base64."""
    scan, brain, mask, probability = shown
    inside = brain.mask
    grey = np.clip(scan.data / window(scan)[1] * 255, 0, 255)
    volumes = {
        "scan": _encoded(np.where(inside, grey, 0), scan.affine),
        "mask": _encoded(mask.data > 0.5, mask.affine),
        "probability": _encoded(
            np.where(inside, probability.data, 0) * PROBABILITY_STEPS,
            probability.affine,
            1 / PROBABILITY_STEPS,
        ),
    }
    places = [lesion.place for lesion in lesions]
    return f"window.volumes = {json.dumps({**volumes, 'lesions': places})};\n"


def _encoded(values: NDArray[Any], affine: NDArray[np.float64], slope: float = 1.0) -> str:
    image = nib.Nifti1Image(np.rint(values).astype(np.uint8), affine)
    image.header.set_slope_inter(slope, 0)
    # Level 9 takes three times as long as level 6 and saves a hundredth.
    packed = gzip.compress(image.to_bytes(), compresslevel=6, mtime=0)
    return base64.b64encode(packed).decode("ascii")


def _coarser(volume: Volume, factor: int) -> Volume:
    """Means over blocks along the axes that are finer than the blocks would be."""
    target = factor * min(volume.spacing)
    steps = [max(1, round(target / size)) for size in volume.spacing]
    padding = [(0, -size % step) for size, step in zip(volume.data.shape, steps, strict=True)]
    data = np.pad(volume.data, padding, mode="edge")
    shape = [n for size, step in zip(data.shape, steps, strict=True) for n in (size // step, step)]
    affine = volume.affine.copy()
    affine[:3, 3] = nib.affines.apply_affine(affine, [(step - 1) / 2 for step in steps])
    affine[:3, :3] *= steps
    x, y, z = (size * step for size, step in zip(volume.spacing, steps, strict=True))
    return Volume(data.reshape(shape).mean(axis=(1, 3, 5)), affine, (x, y, z))
