"""Size and place of a segmented lesion: measured on the scan's grid, told in the sidecars."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from synthtumour_bids.bids.derivatives import sidecar_path
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.files import fingerprint, hash_file, read_json, write_json
from synthtumour_bids.layout import Layout, Network
from synthtumour_bids.ledger import Ledger
from synthtumour_bids.measures.location import Surroundings, locate, surface_distance
from synthtumour_bids.measures.regions import Atlas, volumes_by_region
from synthtumour_bids.measures.size import NEIGHBOURS, size_of
from synthtumour_bids.preprocessing.points import Carrier, affine_carrier, deformable_carrier
from synthtumour_bids.settings import TEMPLATE
from synthtumour_bids.simulation.anatomy import ORIGIN, SPACING, average_head
from synthtumour_bids.steps.carried import carried_files
from synthtumour_bids.steps.standard_spaces import DEFORMABLE, deformed
from synthtumour_bids.volumes import Volume, load_volume

STEP = "locations"
VERSION = "2"  # changes when the same mask gives other figures
AFFINE = "affine"  # the kind of transform that places are carried with
MASK = "_mask.nii.gz"
_DIGITS = 3


def describe_location(scan: Scan, layout: Layout, atlas: Atlas | None) -> None:
    """Measure one scan's lesion, unless that was done for this very mask and atlas.

    The figures go to a record that the tables are made from, and to the sidecars of the masks.
    Every voxel is carried to the template as a point: nothing is resampled, so that volumes by
    region add up to the mask's.
    """
    mask = layout.native(scan, label="L", suffix="mask")
    ledger, record = Ledger(layout.output_dir), layout.location(scan.record)
    bent = deformed(ledger, scan.key, TEMPLATE) is not None
    transform = layout.deformation(scan, TEMPLATE)[1] if bent else layout.transform(scan)
    sources = (mask, layout.native_brain(scan), transform)
    current = fingerprint(
        version=VERSION,
        sources=[hash_file(path) for path in sources],
        atlas=None if atlas is None else atlas.fingerprint,
    )
    if ledger.is_done(STEP, scan.key, current):
        return
    ledger.clear(STEP, scan.key)
    to_template = (deformable_carrier if bent else affine_carrier)(transform)
    kind = DEFORMABLE if bent else AFFINE
    figures = measure_location(load_volume(mask), load_volume(sources[1]), to_template, kind, atlas)
    write_json(record, figures)
    _tell(scan, layout, figures)
    ledger.mark(STEP, scan.key, current, [record], scan=scan)


def measure_location(
    mask: Volume, brain: Volume, to_template: Carrier, kind: str, atlas: Atlas | None
) -> dict[str, Any]:
    """Size, place and regions of a lesion.

    Parameters
    ----------
    mask, brain
        On the scan's own grid.
    to_template
        Carries points of the scan's world to the template's, (N, 3), RAS, mm.
    kind
        Of that transform.
    atlas
        Of the template, or none.

    Returns
    -------
    JSON-able; ``Size`` and ``Location`` are empty for an empty mask.
    """
    lesion, spacing = mask.mask, np.asarray(mask.spacing)
    foci, _ = ndimage.label(lesion, NEIGHBOURS)
    indices = np.argwhere(lesion)
    points = to_template(indices @ mask.affine[:3, :3].T + mask.affine[:3, 3])
    size = size_of(lesion, mask.affine)
    location = locate(points, foci[tuple(indices.T)], _surroundings()) if size else None
    voxel_ml = float(np.prod(spacing)) / 1000
    regions = volumes_by_region(points, voxel_ml, atlas) if atlas and len(points) else []
    return {
        "Size": _rounded(asdict(size)) if size else {},
        "Location": {
            **_rounded(asdict(location)),
            "surface_distance_mm": _round(surface_distance(lesion, brain.mask, spacing)),
            "Template": TEMPLATE,
            "Transform": kind,
        }
        if location
        else {},
        "Regions": {
            "Atlas": atlas.name,
            "Volumes": [_rounded(asdict(one)) for one in regions],
        }
        if atlas
        else {},
    }


def _tell(scan: Scan, layout: Layout, figures: Mapping[str, Any]) -> None:
    """Put the figures into the sidecars of the result's masks; the junior's says it has none.

    Of a name with fewer entities a reader may take over what a sidecar does not say itself.
    """
    nothing: dict[str, Any] = {key: {} for key in figures}
    carried = carried_files(Ledger(layout.output_dir), scan.key)
    for path, told in (
        (layout.native(scan, label="L", suffix="mask"), figures),
        (layout.standard(scan, label="L", suffix="mask"), figures),
        *((path, figures) for path in carried if path.name.endswith(MASK)),
        (layout.native(scan, label="L", desc=Network.JUNIOR, suffix="mask"), nothing),
    ):
        sidecar = sidecar_path(path)
        if sidecar.is_file():
            said = json.loads(sidecar.read_text(encoding="utf-8"))
            write_json(sidecar, {**said, **told})


def read_location(path: Path) -> dict[str, Any]:
    """Figures of a record for the tables; none where there is no record."""
    record = read_json(path)
    if record is None:
        return {}
    return {**record["Size"], **record["Location"], "regions": record["Regions"]}


@cache
def _surroundings() -> Surroundings:
    """The average brain; two seconds, once per process."""
    head = average_head()
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    affine[:3, 3] = ORIGIN
    return Surroundings(affine, head.wm, head.gm, head.csf, head.ventricle_distance)


def _rounded(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _round(value) for key, value in figures.items()}


def _round(value: Any) -> Any:
    return round(value, _DIGITS) if isinstance(value, float) else value
