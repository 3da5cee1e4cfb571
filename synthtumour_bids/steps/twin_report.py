"""Pictures of the healthy twin: an image with its tumour, and with the tumour replaced."""

from __future__ import annotations

from pathlib import Path

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.layout import Layout
from synthtumour_bids.preprocessing.reading import read_volume
from synthtumour_bids.reports import pictures, slices
from synthtumour_bids.reports.slices import CONVENTION
from synthtumour_bids.reports.templates import write_page
from synthtumour_bids.steps.healthy_twin import MARGIN_MM as REPLACED_MM
from synthtumour_bids.steps.t1w_report import brain_on_t1w
from synthtumour_bids.volumes import Volume, load_volume

MARGIN_MM = 10.0  # around the brain, in pictures
OF_SCAN, OF_T1W = "twin", "twint1w"


def draw_twins(scan: Scan, layout: Layout, t1w: Path | None) -> list[Path]:
    """Draw the twins of a scan and of its T1w image, those of them that are there.

    Parameters
    ----------
    scan, layout
        Which one, and where everything is.
    t1w
        The T1w image that the mask lies on, if there is one.

    Returns
    -------
    The parts of the report; those of twins that are there no more are removed.
    """
    parts = []
    if layout.twin(scan).is_file():
        head, brain = (
            load_volume(path) for path in (layout.native_image(scan), layout.native_brain(scan))
        )
        mask = layout.native(scan, label="L", suffix="mask")
        parts.append(_draw(scan, layout, OF_SCAN, (head, brain), (layout.twin(scan), mask)))
    if t1w is not None and layout.twin_in_t1w(scan).is_file():
        image = read_volume(t1w)
        grid = (Volume.of(image), brain_on_t1w(image, scan, layout))
        mask = layout.in_t1w(scan, label="L", suffix="mask")
        parts.append(_draw(scan, layout, OF_T1W, grid, (layout.twin_in_t1w(scan), mask)))
    for desc in (OF_SCAN, OF_T1W):
        if layout.figure(scan, desc) not in parts:
            layout.figure(scan, desc).unlink(missing_ok=True)
    return parts


def _draw(
    scan: Scan, layout: Layout, desc: str, seen: tuple[Volume, Volume], made: tuple[Path, Path]
) -> Path:
    """Draw an image, whose brain is known, beside the twin, with the mask."""
    head, brain, twin, mask = map(slices.upright, (*seen, *map(load_volume, made)))
    box = slices.box_around(brain.mask, brain.spacing, MARGIN_MM)
    picture = layout.figure(scan, desc, ".svg")
    head, twin, mask = (slices.cropped(one, box) for one in (head, twin, mask))
    description = pictures.twin_picture(head, twin, mask, picture)
    part = layout.figure(scan, desc)
    write_page(
        part,
        "figure.html",
        scan=scan.name,
        source=picture.relative_to(picture.parents[2]).as_posix(),
        description=description,
        caption="Above the image, below its twin, which is artificial: what is in the tumour's "
        f"place, and up to {REPLACED_MM:g} mm around it, was never measured. Both with the contour "
        f"of the tumour mask. {CONVENTION} Positions are in mm, in the image's own coordinates.",
    )
    return part
