"""The classes of a segmented tumour, where a network tells several."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.volumes import load_nifti


def classes_path(path: Path) -> Path:
    """Path of the probabilities of single classes, from that of the whole tumour."""
    return path.with_name(path.name.removesuffix(".nii.gz") + "_classes.nii.gz")


def strongest(maps: NDArray[np.floating], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Number of the strongest class, from 1, inside a mask; 0 outside.

    Parameters
    ----------
    maps
        Probabilities of the classes, (X, Y, Z, K).
    mask
        Of the tumour, (X, Y, Z).
    """
    return np.where(mask, maps.argmax(axis=-1) + 1, 0).astype(np.uint8)


def labelled(mask: NDArray[np.bool_], probability: Path) -> NDArray[np.uint8]:
    """Give a mask its classes, from the maps beside the file of the tumour's probability.

    All of the mask, (X, Y, Z), is 1 where the network tells no classes.
    """
    path = classes_path(probability)
    if not path.is_file():
        return mask.astype(np.uint8)
    return strongest(np.asanyarray(load_nifti(path).dataobj), mask)
