"""A scan's annotation, brought to the template grid with the scan."""

from __future__ import annotations

import logging
from pathlib import Path

import nibabel as nib
import numpy as np

from synthtumour_bids.bids.annotations import Annotation
from synthtumour_bids.bids.classes import write_classes
from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.sidecars import sidecar
from synthtumour_bids.layout import Layout, class_table
from synthtumour_bids.preprocessing import annotation as checks
from synthtumour_bids.preprocessing.registration import Preprocessed
from synthtumour_bids.settings import TEMPLATE
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
    name = str(annotation.path)
    given = checks.read_annotation(annotation.path)
    indices = [one.index for one in annotation.classes]
    numbers = checks.numbered(np.asanyarray(given.dataobj), indices, name)
    known = bool(given.header["qform_code"] or given.header["sform_code"])
    if checks.explained_shift(
        numbers > 0, given.affine, known, image.shape[:3], image.affine, name
    ):
        LOGGER.warning(
            "%s: the annotation %s lies on another grid than its scan; its affine tells where, so "
            "it is resampled.",
            scan.key,
            name,
        )
    checks.check_in_brain(numbers > 0, given.affine, preprocessed.native_mask, name)
    standard = preprocessed.standard_mask
    carried = checks.carry_to_standard(
        numbers, given.affine, preprocessed.transform, standard, name
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
