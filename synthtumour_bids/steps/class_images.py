"""The classes of a segmented tumour, where the networks tell several: images beside the masks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthtumour_bids.bids.classes import WHOLE_TUMOUR, TumourClass, write_classes
from synthtumour_bids.bids.names import derivative_path
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.settings import TEMPLATE, Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def model_classes(model_dir: Path) -> tuple[TumourClass, ...]:
    """Classes that a trained network tells, from its ``model.json``."""
    described = json.loads((model_dir / "model.json").read_text()).get("Classes")
    return tuple(TumourClass(**one) for one in described) if described else WHOLE_TUMOUR


def strongest(maps: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Number of the strongest class, from 1, inside a mask; 0 outside.

    Parameters
    ----------
    maps
        (X, Y, Z, K).
    mask
        (X, Y, Z).
    """
    import numpy as np

    return np.where(mask, maps.argmax(axis=-1) + 1, 0).astype(np.uint8)


def labelled(mask: NDArray[np.bool_], probability: Path) -> NDArray[np.uint8]:
    """Give a mask on the template grid its classes, from the maps beside the probability.

    All is 1 where the network tells no classes.
    """
    import numpy as np

    from synthtumour_bids.segmentation.prediction import classes_path
    from synthtumour_bids.steps.volumes import load_nifti

    path = classes_path(probability)
    if not path.is_file():
        return mask.astype(np.uint8)
    return strongest(np.asanyarray(load_nifti(path).dataobj), mask)


def write_class_images(
    scan: Scan,
    settings: Settings,
    classes: Sequence[TumourClass],
    probability: Path,
    transform: Path,
) -> list[Path]:
    """Write ``desc-tumour_dseg`` with its table, on the scan's grid and on the template's.

    Every voxel of the tumour mask, which is there already, gets the class that is strongest
    there, so that mask and classes tell of one tumour.

    Parameters
    ----------
    scan, settings
        What is written, and where to.
    classes
        What the network tells; their own indices are written.
    probability
        The whole tumour's on the template grid; the maps of its classes lie beside it.
    transform
        From the scan to the template.

    Returns
    -------
    The files.
    """
    import nibabel as nib
    import numpy as np

    from synthtumour_bids.bids.derivatives import like_native, write_image
    from synthtumour_bids.bids.sidecars import sidecar
    from synthtumour_bids.preprocessing.registration import carry_to_native
    from synthtumour_bids.segmentation.prediction import classes_path
    from synthtumour_bids.steps.volumes import load_nifti

    maps = load_nifti(classes_path(probability))
    on_template = np.asarray(maps.dataobj, dtype=np.float32)
    resolution = settings.profile.resolution
    standard = {"space": TEMPLATE, "res": f"{resolution:g}"}
    native_mask, standard_mask = (
        load_nifti(derivative_path(scan, settings.output_dir, label="L", suffix="mask", **names))
        for names in ({}, standard)
    )
    on_scan = np.stack(
        [
            carry_to_native(nib.Nifti1Image(one, maps.affine), transform, native_mask)
            for one in np.moveaxis(on_template, -1, 0)
        ],
        axis=-1,
    )
    indices = np.array([0, *(one.index for one in classes)], np.uint8)
    written = []
    for mask, values, names in (
        (native_mask, on_scan, {}),
        (standard_mask, on_template, standard),
    ):
        ranks = strongest(values, np.asanyarray(mask.dataobj) > 0)
        voxel_ml = float(np.prod(nib.affines.voxel_sizes(mask.affine))) / 1000
        volumes = {
            one.name: round(float((ranks == rank).sum()) * voxel_ml, 3)
            for rank, one in enumerate(classes, 1)
        }
        path = derivative_path(scan, settings.output_dir, desc="tumour", suffix="dseg", **names)
        write_image(
            path,
            like_native(indices[ranks], mask, np.uint8),
            sidecar(
                sources=[scan.uri],
                space=names.get("space"),
                resolution=resolution if names else None,
                VolumesML=volumes,
            ),
        )
        table = path.with_name(path.name.partition(".")[0] + ".tsv")
        write_classes(table, classes)
        written += [path, table]
    return written
