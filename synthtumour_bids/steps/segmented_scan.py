"""A segmented scan, and the images and sidecars that tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.bids.classes import write_classes
from synthtumour_bids.bids.derivatives import remove_outputs, write_image
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.sidecars import sidecar
from synthtumour_bids.layout import Layout, Network, class_table
from synthtumour_bids.methods.comparison import described
from synthtumour_bids.reports.facts import MEASURED
from synthtumour_bids.segmentation.calibration import UNKNOWN
from synthtumour_bids.segmentation.class_maps import classes_path, strongest
from synthtumour_bids.segmentation.other_side_rules import ComponentVerdict
from synthtumour_bids.segmentation.presence import PresenceVerdict
from synthtumour_bids.settings import STARTER, TEMPLATE
from synthtumour_bids.steps.networks import Networks
from synthtumour_bids.synthesis.pseudo_labels import final_criteria
from synthtumour_bids.volumes import like_native, load_nifti

THRESHOLD = 0.5
UNCALIBRATED = "the network has none: it was not measured on known tumours"
NOT_FITTED = "a starter has none: what simulated heads ask for says little of scans"
OTHER_TEST = "the network was calibrated before, for a test that is not done any more"
NOT_JUDGED = {"TumourPresent": "n/a", "PresenceP": "n/a", "PresenceCalibration": {}}

# Where to, the image, whether it is on the template grid, and fields of its sidecar.
_Image = tuple[Path, nib.Nifti1Image, bool, dict[str, Any]]


@dataclass(frozen=True, eq=False)
class SegmentedScan:
    """What is known of one scan's tumour.

    Attributes
    ----------
    scan
        Which one.
    reference
        Image on the scan's own grid, for its forms.
    masks
        By network, on the scan's own grid, (X, Y, Z).
    probability
        The main network's there, calibrated, in [0, 1].
    uncertainty
        Its entropy, bits.
    template_mask, template_probability
        The main network's, on the template grid.
    measurements, flags
        For tables and sidecars.
    networks
        What the networks are; the main one's masks are the result.
    probability_file
        The main network's prediction; maps of its classes lie beside it.
    dropped
        By network: parts of the mask that went.
    presence
        Whether there is a tumour.
    """

    scan: Scan
    reference: nib.Nifti1Image
    masks: Mapping[str, NDArray[np.bool_]]
    probability: NDArray[np.float32]
    uncertainty: NDArray[np.float32]
    template_mask: nib.Nifti1Image
    template_probability: nib.Nifti1Image
    measurements: Mapping[str, Any]
    flags: tuple[str, ...]
    networks: Networks
    probability_file: Path
    dropped: Mapping[str, tuple[ComponentVerdict, ...]]
    presence: PresenceVerdict

    def native(self, values: NDArray[Any], dtype: type[np.generic]) -> nib.Nifti1Image:
        """Values on the scan's own grid as an image."""
        return like_native(values, self.reference, dtype)


def write_segmentation(segmented: SegmentedScan, layout: Layout) -> list[Path]:
    """Write all images of a segmented scan with their sidecars; return their paths.

    By the inheritance principle of BIDS, a reader takes from a sidecar with fewer entities what a
    sidecar does not say itself, and some readers even what it does. So masks of one tumour on
    several grids have the same figures, and each says all.
    """
    scan = segmented.scan
    main = segmented.networks.main
    masks = segmented.masks
    images: tuple[_Image, ...] = (
        (
            layout.native(scan, label="L", suffix="mask"),
            segmented.native(masks[main], np.uint8),
            False,
            _mask_fields(segmented, main),
        ),
        (
            layout.native(scan, label="L", suffix="probseg"),
            segmented.native(segmented.probability, np.float32),
            False,
            _probability_fields(segmented, main),
        ),
        *_junior(segmented, layout),
        (
            layout.native(scan, desc="uncertainty", suffix="probseg"),
            segmented.native(segmented.uncertainty, np.float32),
            False,
            {
                "Description": f"Entropy of the {main}'s tumour probability",
                "Units": "bit",
                "Calibration": _calibration(segmented.networks),
            },
        ),
        (
            layout.standard(scan, label="L", suffix="mask"),
            segmented.template_mask,
            True,
            _mask_fields(segmented, main),
        ),
        (
            layout.standard(scan, label="L", suffix="probseg"),
            segmented.template_probability,
            True,
            _probability_fields(segmented, main),
        ),
    )
    for path, image, on_template, fields in images:
        write_image(path, image, _sidecar(segmented, layout, on_template, fields))
    written = [path for path, *_ in images]
    if len(segmented.networks.classes) > 1:
        return written + _write_classes(segmented, layout)
    for path in _class_images(scan, layout):  # of a network that came before
        remove_outputs([path, class_table(path)])
    return written


def _class_images(scan: Scan, layout: Layout) -> tuple[Path, Path]:
    """Where the tumour's classes go, on the scan's grid and on the template's."""
    names = {"desc": "tumour", "suffix": "dseg"}
    return layout.native(scan, **names), layout.standard(scan, **names)


def _junior(segmented: SegmentedScan, layout: Layout) -> tuple[_Image, ...]:
    """The junior's mask; where there is no junior, that of an earlier run goes."""
    path = layout.native(segmented.scan, label="L", desc=Network.JUNIOR, suffix="mask")
    junior = segmented.networks.junior
    if junior is None:
        for old in (path, path.with_name(path.name.replace(".nii.gz", ".json"))):
            old.unlink(missing_ok=True)
        return ()
    mask = segmented.native(segmented.masks[junior], np.uint8)
    return ((path, mask, False, _mask_fields(segmented, junior)),)


def _sidecar(
    segmented: SegmentedScan, layout: Layout, on_template: bool, fields: Mapping[str, Any]
) -> dict[str, Any]:
    return sidecar(
        sources=[segmented.scan.uri],
        space=TEMPLATE if on_template else None,
        resolution=layout.resolution if on_template else None,
        **fields,
    )


def _refinement(segmented: SegmentedScan, network: str) -> dict[str, Any]:
    """How the scan refined the borders; empty where it did not."""
    evidence = segmented.networks.evidence[network]
    return asdict(evidence) if evidence else {}


def _mask_fields(segmented: SegmentedScan, network: str) -> dict[str, Any]:
    """Fields of a mask; measurements and flags are the main network's alone."""
    main = network == segmented.networks.main
    fingerprints, source = segmented.networks.fingerprints, segmented.networks.junior_source
    corrected, number = segmented.networks.n_corrected, segmented.networks.round
    return {
        "Type": "Lesion",
        "Threshold": THRESHOLD,
        "SmallestComponentML": final_criteria(segmented.networks.lesion).min_component_ml,
        "Refinement": _refinement(segmented, network),
        **({"Enclosed": segmented.networks.enclosed} if segmented.networks.enclosed < 1 else {}),
        "OtherSide": segmented.networks.comparison.to_json(),
        **(_norm(segmented.networks) if main else {}),
        "DroppedComponents": [described(one) for one in segmented.dropped[network]],
        "Models": dict(fingerprints) if main else {network: fingerprints[network]},
        **({MEASURED: False} if network in segmented.networks.unmeasured else {}),
        **({"JuniorSource": source} if source else {}),
        **(_verdict(segmented) if main else NOT_JUDGED),
        **({"CorrectedMasks": corrected} if main and corrected else {}),
        **({"Round": number} if main and number > 1 else {}),
        "QualityControl": dict(segmented.measurements)
        if main
        else {"volume_mL": segmented.measurements[f"{network}_volume_mL"]},
        "Flags": list(segmented.flags) if main else [],
        "ExpectedDice": _expected_dice(segmented.networks) if main else {},
    }


def _probability_fields(segmented: SegmentedScan, network: str) -> dict[str, Any]:
    return {
        "Refinement": _refinement(segmented, network),
        "Calibration": _calibration(segmented.networks),
        "Models": {network: segmented.networks.fingerprints[network]},
    }


def _calibration(networks: Networks) -> dict[str, Any]:
    """What a calibrated map tells of its temperature, or why it is as the network says."""
    calibration = networks.calibration
    if calibration is None:
        return {"Temperature": 1.0, "Skipped": UNKNOWN}
    if networks.main == STARTER and calibration.temperature == 1:
        return {"Temperature": 1.0, "Skipped": NOT_FITTED}
    return {
        "Temperature": calibration.temperature,
        "Origin": calibration.origin,
        "Cases": calibration.cases,
    }


def _norm(networks: Networks) -> dict[str, Any]:
    """People without a tumour that parts were compared with; nothing where there are none."""
    norm = networks.norm
    return {} if norm is None else {"Norm": {"Persons": norm.people, "Content": norm.content}}


def _verdict(segmented: SegmentedScan) -> dict[str, Any]:
    """Tell whether there is a tumour, and by what network's mask that was judged."""
    told = segmented.presence.to_json()
    calibration = told["PresenceCalibration"]
    by = {"Network": segmented.networks.judged} if calibration else {}
    return {**told, "PresenceCalibration": {**calibration, **by}}


def _expected_dice(networks: Networks) -> dict[str, Any]:
    """What a Dice is expected by, or why none is."""
    calibration = networks.calibration
    line = None if calibration is None else calibration.expected_dice
    if calibration is None or line is None:
        return {"Skipped": UNCALIBRATED}
    if line.planted:
        return {"Skipped": OTHER_TEST}
    return {"Origin": calibration.origin, "Masks": line.masks}


def _write_classes(segmented: SegmentedScan, layout: Layout) -> list[Path]:
    """Write ``desc-tumour_dseg`` with its table, on the scan's grid and on the template's.

    Every voxel of the tumour mask gets the class that is strongest there, so that mask and
    classes tell of one tumour.
    """
    from synthtumour_bids.preprocessing.registration import carry_to_native

    scan, transform = segmented.scan, layout.transform(segmented.scan)
    native_mask = segmented.native(segmented.masks[segmented.networks.main], np.uint8)
    maps = load_nifti(classes_path(segmented.probability_file))
    on_template = np.asarray(maps.dataobj, dtype=np.float32)
    on_scan = np.stack(
        [
            carry_to_native(nib.Nifti1Image(one, maps.affine), transform, native_mask)
            for one in np.moveaxis(on_template, -1, 0)
        ],
        axis=-1,
    )
    indices = np.array([0, *(one.index for one in segmented.networks.classes)], np.uint8)
    written = []
    on_scans_grid, on_templates_grid = _class_images(scan, layout)
    for path, mask, values, standard in (
        (on_scans_grid, native_mask, on_scan, False),
        (on_templates_grid, segmented.template_mask, on_template, True),
    ):
        numbers = strongest(values, np.asanyarray(mask.dataobj) > 0)
        voxel_ml = float(np.prod(nib.affines.voxel_sizes(mask.affine))) / 1000
        volumes = {
            one.name: round(float((numbers == number).sum()) * voxel_ml, 3)
            for number, one in enumerate(segmented.networks.classes, 1)
        }
        fields = _sidecar(segmented, layout, standard, {"VolumesML": volumes})
        write_image(path, like_native(indices[numbers], mask, np.uint8), fields)
        write_classes(class_table(path), segmented.networks.classes)
        written += [path, class_table(path)]
    return written
