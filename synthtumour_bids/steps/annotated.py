"""Annotations on the template grid: written by the preprocess step, read by those that learn."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthtumour_bids.bids.annotations import Annotation
from synthtumour_bids.bids.classes import read_classes, write_classes
from synthtumour_bids.bids.names import derivative_path
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.settings import TEMPLATE, Settings

if TYPE_CHECKING:
    import nibabel as nib
    import numpy as np
    from numpy.typing import NDArray

LOGGER = logging.getLogger(__name__)


def annotation_path(scan: Scan, settings: Settings) -> Path:
    """Class image of an annotated scan on the template grid, with the annotation's own values."""
    return derivative_path(
        scan,
        settings.output_dir,
        space=TEMPLATE,
        res=f"{settings.profile.resolution:g}",
        desc="annotation",
        suffix="dseg",
    )


def _table(path: Path) -> Path:
    return path.with_name(path.name.partition(".")[0] + ".tsv")


def carry(
    scan: Scan,
    annotation: Annotation,
    image: nib.Nifti1Image,
    preprocessed: Any,
    settings: Settings,
) -> list[Path]:
    """Check a scan's annotation, bring it to the template grid and write it with its class table.

    Parameters
    ----------
    scan, annotation
        Which belong together.
    image
        The scan as read.
    preprocessed
        What ``registration.preprocess`` made of it.
    settings
        Of the run.

    Raises
    ------
    UnusableScanError
        When the annotation is empty, has a value without a class, or does not lie in the scan's
        brain.
    """
    import numpy as np

    from synthtumour_bids.bids.derivatives import write_image
    from synthtumour_bids.bids.sidecars import sidecar
    from synthtumour_bids.preprocessing import annotation as checks

    name = str(annotation.path)
    drawn = checks.read_annotation(annotation.path)
    indices = [one.index for one in annotation.classes]
    ranks = checks.ranked(np.asanyarray(drawn.dataobj), indices, name)
    known = bool(drawn.header["qform_code"] or drawn.header["sform_code"])
    if checks.explained_shift(ranks > 0, drawn.affine, known, image.shape[:3], image.affine, name):
        LOGGER.warning(
            "%s: the annotation %s lies on another grid than its scan; its affine tells where, so "
            "it is resampled.",
            scan.key,
            name,
        )
    checks.check_in_brain(ranks > 0, drawn.affine, preprocessed.native_mask, name)
    standard = preprocessed.standard_mask
    carried = checks.carry_to_standard(ranks, drawn.affine, preprocessed.transform, standard, name)
    values = np.array([0, *indices], np.uint8)[carried]
    path = annotation_path(scan, settings)
    write_image(
        path,
        type(standard)(values, standard.affine),
        sidecar(
            sources=[scan.uri],
            space=TEMPLATE,
            resolution=settings.profile.resolution,
            Description="The scan's annotation, that synthetic tumours are made from",
        ),
    )
    table = _table(path)
    write_classes(table, annotation.classes)
    return [path, table]


def load_ranks(scan: Scan, annotation: Annotation, settings: Settings) -> NDArray[np.uint8]:
    """Classes of an annotated scan on the template grid, counted from 1.

    Raises
    ------
    DataError
        When it was preprocessed without this annotation, or with other classes.
    """
    import numpy as np

    from synthtumour_bids.steps.volumes import load_volume

    path = annotation_path(scan, settings)
    table = _table(path)
    if not table.is_file() or read_classes(path, path.parent) != annotation.classes:
        msg = (
            f"{scan.key} was not preprocessed with the annotation {annotation.path} and its "
            f"classes (looked for {path} and its table). Run the preprocess step again."
        )
        raise DataError(msg)
    values = load_volume(path).data
    ranks = np.zeros(values.shape, np.uint8)
    for rank, one in enumerate(annotation.classes, 1):
        ranks[values == one.index] = rank
    return ranks
