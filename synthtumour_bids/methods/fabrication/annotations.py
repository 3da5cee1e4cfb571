"""Annotations on the template grid, as the preprocess step left them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.bids.annotations import Annotation
from synthtumour_bids.bids.classes import read_classes
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.layout import Layout, class_table
from synthtumour_bids.volumes import load_volume


def load_class_numbers(scan: Scan, annotation: Annotation, layout: Layout) -> NDArray[np.uint8]:
    """Classes of an annotated scan on the template grid, (X, Y, Z), counted from 1.

    Raises
    ------
    DataError
        When it was preprocessed without this annotation, or with other classes.
    """
    path = layout.standard_annotation(scan)
    table = class_table(path)
    if not table.is_file() or read_classes(path, path.parent) != annotation.classes:
        msg = (
            f"{scan.key} was not preprocessed with the annotation {annotation.path} and its "
            f"classes (looked for {path} and its table). Run the preprocess step again."
        )
        raise DataError(msg)
    values = load_volume(path).data
    numbers = np.zeros(values.shape, np.uint8)
    for number, one in enumerate(annotation.classes, 1):
        numbers[values == one.index] = number
    return numbers
