"""A mask as a DICOM segmentation object."""

from __future__ import annotations

import json
from pathlib import Path

import highdicom as hd
from pydicom.sr.codedict import codes

from synthtumour_bids import __version__
from synthtumour_bids.bids.derivatives import sidecar_path
from synthtumour_bids.dicom.series import on_series, read_series
from synthtumour_bids.errors import DataError
from synthtumour_bids.files import replacing
from synthtumour_bids.preprocessing.reading import UnreadableError, read_volume

NAME = "synthtumour_bids"
SERIES_NUMBER = 1900  # beyond those of scanners; what a viewer sorts by


def write_segmentation(mask: Path, series: Path, output: Path) -> None:
    """Write a mask as a segmentation of the series that its scan was converted from.

    Parameters
    ----------
    mask
        NIfTI file; above 0 inside.
    series
        Folder of the series.
    output
        DICOM file to write.

    Raises
    ------
    DataError
        When the mask cannot be read or is empty, which DICOM has no segmentation for, the series
        cannot be used, or both do not lie on one grid.
    """
    try:
        image = read_volume(mask)
    except UnreadableError as error:
        message = f"The mask {mask} cannot be used. {error}"
        raise DataError(message) from error
    source = read_series(series)
    values = on_series(image, source.geometry)
    if not values.any():
        msg = f"The mask {mask} is empty: there is nothing to segment, and no file is written."
        raise DataError(msg)
    segmentation = hd.seg.Segmentation(
        source_images=source.datasets,
        pixel_array=source.geometry.with_array(values.astype("uint8")),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(mask)],
        series_instance_uid=hd.UID(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="The synthtumour_bids developers",
        manufacturer_model_name=NAME,
        software_versions=__version__,
        device_serial_number="n/a",
        content_label="TUMOUR",
        content_description="Tumour mask; research software, no medical device",
        series_description="Tumour segmentation",
    )
    with replacing(output) as temporary:
        segmentation.save_as(temporary)


def _description(mask: Path) -> hd.seg.SegmentDescription:
    """What the segment is: a neoplasm of the brain, by networks that the mask's sidecar names."""
    return hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="Tumour",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Neoplasm,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=NAME,
            family=codes.DCM.ArtificialIntelligence,
            version=__version__,
            parameters=_networks(mask) or None,
        ),
        anatomic_regions=[codes.SCT.Brain],
        tracking_uid=hd.UID(),
        tracking_id="tumour",
    )


def _networks(mask: Path) -> dict[str, str]:
    """Fingerprints of the networks that made the mask, by their names, if a sidecar tells them."""
    try:
        said = json.loads(sidecar_path(mask).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    models = said.get("Models") if isinstance(said, dict) else None
    return {str(name): str(one) for name, one in models.items()} if isinstance(models, dict) else {}
