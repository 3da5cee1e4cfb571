"""A scan's annotation, brought to the template grid with the scan."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.bids.annotations import Annotation
from synthtumour_bids.bids.classes import write_classes
from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.sidecars import sidecar
from synthtumour_bids.layout import Layout, class_table
from synthtumour_bids.preprocessing import annotation as checks
from synthtumour_bids.preprocessing.registration import Preprocessed
from synthtumour_bids.settings import TEMPLATE
from synthtumour_bids.synthesis.pseudo_labels import MOST_OF_A_BRAIN
from synthtumour_bids.volumes import template_image

LOGGER = logging.getLogger(__name__)


def carry(
    scan: Scan,
    annotation: Annotation,
    image: nib.Nifti1Image,
    preprocessed: Preprocessed,
    layout: Layout,
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
    layout
        Where to write.

    Raises
    ------
    UnusableScanError
        When the annotation is empty, has a value without a class, or does not lie in the scan's
        brain.
    """
    indices = [one.index for one in annotation.classes]
    drawing = checks.Drawing(annotation.path)
    standard = preprocessed.standard_mask
    carried = on_template(
        scan, drawing, indices, image, preprocessed.native_mask, standard, preprocessed.transform
    )
    values = np.array([0, *indices], np.uint8)[carried]
    path = layout.standard_annotation(scan)
    write_image(
        path,
        template_image(values, standard.affine),
        sidecar(
            sources=[scan.uri],
            space=TEMPLATE,
            resolution=layout.resolution,
            Description="The scan's annotation, that synthetic tumours are made from",
        ),
    )
    table = class_table(path)
    write_classes(table, annotation.classes)
    return [path, table]


def on_template(
    scan: Scan,
    drawing: checks.Drawing,
    indices: Sequence[int] | None,
    grid: nib.Nifti1Image,
    brain: nib.Nifti1Image,
    standard_brain: nib.Nifti1Image,
    transform: Path,
) -> NDArray[np.uint8]:
    """Check what was drawn on a scan, and bring it to the template grid.

    Parameters
    ----------
    scan
        On which it was drawn.
    drawing, indices
        The file, and the values of its classes, rising; ``None`` for a mask of the whole tumour,
        whatever its values above 0 are.
    grid, brain
        The scan and its brain mask.
    standard_brain
        That mask on the template grid.
    transform
        From the scan to the template.

    Returns
    -------
    (X, Y, Z) on the template grid: 0 for none, 1, 2, ... for the classes.

    Raises
    ------
    UnusableScanError
        When it cannot be read, is empty, has a value without a class, does not lie in the scan's
        brain, or is a mask of most of it.
    """
    given = checks.read_drawing(drawing)
    values = np.asanyarray(given.dataobj)
    if indices is None:
        numbers = checks.as_mask(values, drawing)
    else:
        numbers = checks.numbered(values, indices, drawing)
    known = bool(given.header["qform_code"] or given.header["sform_code"])
    if checks.explained_shift(
        numbers > 0, given.affine, known, grid.shape[:3], grid.affine, drawing
    ):
        LOGGER.warning(
            "%s: the %s lies on another grid than its scan; its affine tells where, so it is "
            "resampled.",
            scan.key,
            drawing,
        )
    share = checks.check_in_brain(numbers > 0, given.affine, brain, drawing)
    if share < checks.NEARLY_ALL:
        LOGGER.warning(
            "%s: %.0f %% of the %s lie outside the brain mask, and are left out. Look at the brain "
            "mask; a better one can be given with --derivatives.",
            scan.key,
            100 * (1 - share),
            drawing,
        )
    carried = checks.carry_to_standard(numbers, given.affine, transform, standard_brain, drawing)
    if indices is None:
        checks.check_size(carried > 0, standard_brain, MOST_OF_A_BRAIN, drawing)
    return carried
