"""Pictures of a brain that was bent into a standard space, beside the standard brain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.layout import Layout
from synthtumour_bids.reports import pictures, slices
from synthtumour_bids.reports.slices import CONVENTION
from synthtumour_bids.reports.templates import write_page
from synthtumour_bids.spaces.references import STANDARD
from synthtumour_bids.steps.standard_spaces import standard_on_grid
from synthtumour_bids.volumes import Volume, load_volume


def draw_spaces(scan: Scan, layout: Layout, spaces: Sequence[str]) -> list[Path]:
    """Draw a scan in each space; return the parts of the report, and remove those of others."""
    for space in set(STANDARD) - set(spaces):
        layout.figure(scan, space).unlink(missing_ok=True)
    return [_draw(scan, layout, space) for space in spaces]


def _draw(scan: Scan, layout: Layout, space: str) -> Path:
    from synthtumour_bids.spaces.carry import Leg, carry

    standard = standard_on_grid(space, None, layout.resolution)
    head, brain = (
        load_volume(path) for path in (layout.native_image(scan), layout.native_brain(scan))
    )
    alone = head.with_data(np.where(brain.mask, head.data, 0))
    bent = carry(alone, standard, [Leg(layout.deformation(scan, space)[0])])
    template = Volume.of(standard)
    frames = (layout.figure(scan, space, ".svg"), layout.figure(scan, f"{space}brain", ".svg"))
    shown = Volume(bent, template.affine, template.spacing)
    descriptions = pictures.registration_pictures(
        slices.upright(shown), slices.upright(template), frames
    )
    part = layout.figure(scan, space)
    write_page(
        part,
        "flicker.html",
        scan=scan.name,
        other=f"brain of {space}",
        descriptions=descriptions,
        sources=[frame.relative_to(frame.parents[2]).as_posix() for frame in frames],
        caption=f"The brain bent into {space}, and the brain of that space; both with the outline "
        f"of the latter. {CONVENTION} Positions are in mm, in that space.",
    )
    return part
