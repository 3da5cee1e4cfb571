"""An annotation: checked against its scan and its classes, and carried to the template grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ants
import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.errors import UnusableScanError
from synthtumour_bids.preprocessing import ants_images
from synthtumour_bids.preprocessing.mask_values import MOST_CLASSES, WHOLE
from synthtumour_bids.preprocessing.reading import UnreadableError, read_volume

SAME_GRID_MM = 1e-2  # affines that differ by less are the same
LEAST_IN_VIEW = 0.99  # of the annotated voxels must lie in the scan's field of view
LEAST_IN_BRAIN = 0.5  # and of the annotated volume in its brain
NEARLY_ALL = 0.95  # of it; where less lies in the brain, the brain mask is to be looked at
IN_A_MASK = "It should be 0 outside of the tumour, and 1 or other whole numbers above 0 in it."
ADVICE = "Correct the annotation, or take the scan out of --annotated-dir."


@dataclass(frozen=True)
class Drawing:
    """A mask or class image that a person drew, and how sentences speak of it.

    Attributes
    ----------
    path
        The file.
    kind
        What it is called.
    advice
        What to do about one that cannot be used.
    """

    path: Path
    kind: str = "annotation"
    advice: str = ADVICE

    def __str__(self) -> str:
        """Name kind and file."""
        return f"{self.kind} {self.path}"


def read_drawing(drawing: Drawing) -> nib.Nifti1Image:
    """Read what was drawn.

    Raises
    ------
    UnusableScanError
        When it cannot be read or is not 3-D.
    """
    try:
        return read_volume(drawing.path)
    except UnreadableError as error:
        raise UnusableScanError(
            f"The {drawing} cannot be used. {error} {drawing.advice}"
        ) from error


def numbered(values: NDArray[Any], indices: Sequence[int], drawing: Drawing) -> NDArray[np.uint8]:
    """Turn an annotation's values into 0 for none and 1, 2, ... for its classes.

    Parameters
    ----------
    values
        (X, Y, Z).
    indices
        Value of each class, rising.
    drawing
        Where the values come from.

    Raises
    ------
    UnusableScanError
        When it is empty, or holds a value that is no class.
    """
    present = np.unique(values)
    unknown = present[~np.isin(present, (0, *indices))]
    if unknown.size:
        known = ", ".join(map(str, (0, *indices)))
        raise UnusableScanError(
            f"The {drawing} holds {', '.join(f'{v:g}' for v in unknown[:5])}, but its "
            f"values should be {known}: a label-L_mask holds 0 and 1, and the class table of a "
            f"desc-tumour_dseg has a row for every value. {drawing.advice}"
        )
    _refuse_empty(present, drawing)
    numbers = np.zeros(values.shape, np.uint8)
    for number, index in enumerate(indices, 1):
        numbers[values == index] = number
    return numbers


def as_mask(values: NDArray[Any], drawing: Drawing) -> NDArray[np.uint8]:
    """Turn the values of a mask into 0 and 1: two values and classes alike, above 0 is inside.

    Parameters
    ----------
    values
        (X, Y, Z), finite.
    drawing
        Where the values come from.

    Raises
    ------
    UnusableScanError
        When it is empty, or holds something else than 0 and some whole numbers above it.
    """
    present = np.unique(values)
    between = present[np.abs(present - np.round(present)) > WHOLE]
    if between.size:
        raise UnusableScanError(
            f"The {drawing} holds {between.max():g} and the like, as probabilities and smoothed "
            f"masks do. {IN_A_MASK} {drawing.advice}"
        )
    if present.min() < -WHOLE:
        raise UnusableScanError(
            f"The {drawing} holds {present.min():g}. {IN_A_MASK} {drawing.advice}"
        )
    if present.size > MOST_CLASSES:
        raise UnusableScanError(
            f"The {drawing} holds {present.size} different values, as a scan does. {IN_A_MASK} "
            f"{drawing.advice}"
        )
    inside = values > WHOLE
    _refuse_empty(inside, drawing)
    return inside.astype(np.uint8)


def _refuse_empty(values: NDArray[Any], drawing: Drawing) -> None:
    if not values.any():
        raise UnusableScanError(f"The {drawing} is empty: every voxel is 0. {drawing.advice}")


def explained_shift(
    inside: NDArray[np.bool_],
    affine: NDArray[Any],
    known: bool,
    scan_shape: Sequence[int],
    scan_affine: NDArray[Any],
    drawing: Drawing,
) -> bool:
    """Tell whether an annotation lies on another grid than its scan, which its affine explains.

    Parameters
    ----------
    inside
        Annotated voxels, (X, Y, Z).
    affine, known
        Voxel to RAS mm of the annotation, and whether its header really tells it.
    scan_shape, scan_affine
        Of the scan.
    drawing
        Where the values come from.

    Returns
    -------
    False where both share one grid.

    Raises
    ------
    UnusableScanError
        When the grids differ and the affine does not bring the annotated voxels into the scan.
    """
    same = inside.shape == tuple(scan_shape)
    if same and np.allclose(affine, scan_affine, atol=SAME_GRID_MM):
        return False
    to_scan = np.linalg.inv(scan_affine) @ affine
    voxels = nib.affines.apply_affine(to_scan, np.argwhere(inside))
    in_view = ((voxels > -0.5) & (voxels < np.array(scan_shape) - 0.5)).all(axis=1)
    share = float(in_view.mean())
    if known and share >= LEAST_IN_VIEW:
        return True
    reason = (
        f"its affine puts {100 * (1 - share):.0f} % of the annotated voxels outside of the scan"
        if known
        else "its header does not tell where it lies (qform and sform code 0)"
    )
    raise UnusableScanError(
        f"The {drawing} lies on another grid than its scan: its shape is {inside.shape}, "
        f"the scan's {tuple(scan_shape)}, or their affines differ, and {reason}. {drawing.advice}"
    )


def check_in_brain(
    inside: NDArray[np.bool_], affine: NDArray[Any], brain: nib.Nifti1Image, drawing: Drawing
) -> float:
    """Refuse an annotation most of which lies outside of the brain.

    Returns
    -------
    Share that lies inside, of which alone something can be learned.

    Raises
    ------
    UnusableScanError
        With the share that lies inside.
    """
    to_scan = np.linalg.inv(brain.affine) @ affine
    voxels = np.round(nib.affines.apply_affine(to_scan, np.argwhere(inside))).astype(int)
    i, j, k = np.clip(voxels, 0, np.array(brain.shape) - 1).T
    share = float((np.asanyarray(brain.dataobj)[i, j, k] > 0).mean())
    if share < LEAST_IN_BRAIN:
        raise UnusableScanError(
            f"Only {100 * share:.0f} % of the {drawing} lie inside the brain of its scan. "
            "Look at the brain mask; a better one can be given with --derivatives. "
            f"{drawing.advice}"
        )
    return share


def check_size(
    inside: NDArray[np.bool_], brain: nib.Nifti1Image, most: float, drawing: Drawing
) -> None:
    """Refuse a mask that takes more of the brain than any tumour does.

    Parameters
    ----------
    inside, brain
        What was drawn, and the brain mask, on one grid.
    most
        Share of the brain that a tumour may take.
    drawing
        Where it comes from.

    Raises
    ------
    UnusableScanError
        With the share.
    """
    share = float(inside.sum() / max((np.asanyarray(brain.dataobj) > 0).sum(), 1))
    if share > most:
        raise UnusableScanError(
            f"The {drawing} takes {100 * share:.0f} % of its scan's brain, and no tumour takes "
            f"more than {100 * most:.0f} %: it may be a mask of the brain, or have inside and "
            f"outside exchanged. {drawing.advice}"
        )


def carry_to_standard(
    numbers: NDArray[np.uint8],
    affine: NDArray[Any],
    transform: Path,
    brain: nib.Nifti1Image,
    drawing: Drawing,
) -> NDArray[np.uint8]:
    """Bring classes to the template grid, each by linear interpolation.

    A voxel is tumour where all classes together reach one half, and of the strongest class there.

    Parameters
    ----------
    numbers, affine
        Classes 0, 1, ... and voxel to RAS mm of the annotation, on whatever grid.
    transform
        From the scan to the template.
    brain
        Brain mask on the template grid; outside is no tumour.
    drawing
        Where the values come from.

    Raises
    ------
    UnusableScanError
        When nothing is left, or the axes of the annotation's grid are not at right angles.
    """
    grid = ants_images.to_ants(np.zeros(brain.shape, np.float32), brain.affine)
    shares = np.stack(
        [
            ants.apply_transforms(
                grid,
                _placed((numbers == number).astype(np.float32), affine, drawing),
                [str(transform)],
                interpolator="linear",
            ).numpy()
            for number in range(1, int(numbers.max()) + 1)
        ]
    )
    tumour = (shares.sum(axis=0) >= 0.5) & (np.asanyarray(brain.dataobj) > 0)
    if not tumour.any():
        raise UnusableScanError(
            f"Nothing is left of the {drawing} on the template grid: it is smaller than a "
            f"voxel there, or lies outside of the brain. {drawing.advice}"
        )
    return np.where(tumour, shares.argmax(axis=0) + 1, 0).astype(np.uint8)


def _placed(values: NDArray[np.float32], affine: NDArray[Any], drawing: Drawing) -> ants.ANTsImage:
    try:
        return ants_images.to_ants(values, affine)
    except UnusableScanError as error:
        raise UnusableScanError(
            f"The {drawing} cannot be used. {error} {drawing.advice}"
        ) from error
