"""All pictures of one scan, each with the words that go with it, and its interactive view."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.layout import Layout, Network
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.reports import panels, pictures, slices
from synthtumour_bids.reports.slices import CONVENTION
from synthtumour_bids.reports.templates import write_page
from synthtumour_bids.reports.viewer import write_viewer
from synthtumour_bids.volumes import Volume, load_volume

MARGIN_MM = 10.0  # around the brain, in pictures of a tumour
WHERE = f"{CONVENTION} Positions are in mm, in the scan's own coordinates."
PLANES = f"Three planes through the lesion's largest section. {WHERE}"


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A segmented scan, cut to the brain; in RAS order.

    Attributes
    ----------
    head, brain, mask, probability, uncertainty, junior
        Volumes on one grid; no junior where a starter segmented.
    seen
        The part of the mask to show, or where a tumour is likeliest, (X, Y, Z).
    box
        What was cut out of the whole grid.
    """

    head: Volume
    brain: Volume
    mask: Volume
    probability: Volume
    uncertainty: Volume
    junior: Volume | None
    seen: NDArray[np.bool_]
    box: tuple[slice, ...]

    @classmethod
    def load(cls, scan: Scan, layout: Layout) -> Segmentation:
        """Read the derivatives of a segmented scan."""
        brain = slices.upright(load_volume(layout.native_brain(scan)))
        box = slices.box_around(brain.mask, brain.spacing, MARGIN_MM)

        def load(path: Path) -> Volume:
            return slices.cropped(slices.upright(load_volume(path)), box)

        junior = junior_mask(scan, layout)
        mask = load(layout.native(scan, label="L", suffix="mask"))
        probability = load(layout.native(scan, label="L", suffix="probseg"))
        return cls(
            load(layout.native_image(scan)),
            slices.cropped(brain, box),
            mask,
            probability,
            load(layout.native(scan, desc="uncertainty", suffix="probseg")),
            load(junior) if junior.is_file() else None,
            pictures.lesion_to_show(mask.mask, probability.data),
            box,
        )


def junior_mask(scan: Scan, layout: Layout) -> Path:
    """Mask of the junior; a starter has none beside its own."""
    return layout.native(scan, label="L", desc=Network.JUNIOR, suffix="mask")


def draw_brain(scan: Scan, layout: Layout) -> list[Path]:
    """Draw the brain mask, and the alignment to the template; return the parts of the report."""
    head, brain = (
        slices.upright(load_volume(path))
        for path in (layout.native_image(scan), layout.native_brain(scan))
    )
    picture = layout.figure(scan, "brain", ".svg")
    description = pictures.brain_picture(head, brain, picture)
    part = _figure(scan, layout, "brain", description, f"Contour of the brain mask. {WHERE}")
    if not layout.standard_image(scan).is_file():
        return [part]
    return [part, _draw_registration(scan, layout)]


def draw_tumour(
    scan: Scan, layout: Layout, truth: Volume | None, *, viewer: bool
) -> Iterator[Path]:
    """Draw the segmentation; yield the parts of the report."""
    made = Segmentation.load(scan, layout)
    head, mask, seen = made.head, made.mask, made.seen

    def picture(desc: str) -> Path:
        return layout.figure(scan, desc, ".svg")

    found = (
        "Contour of the tumour mask. "
        if mask.mask.any()
        else "The mask is empty: here a tumour was likeliest. "
    )
    description = pictures.tumour_picture(head, mask, seen, picture("tumour"))
    yield _figure(scan, layout, "tumour", description, found + PLANES)
    description = pictures.extent_picture(head, mask, seen, picture("extent"))
    yield _figure(
        scan, layout, "extent", description, f"Through the lesion from below to above. {WHERE}"
    )
    description = pictures.certainty_picture(
        head, made.probability, made.uncertainty, mask, seen, picture("certainty")
    )
    caption = (
        "Above the probability, below its entropy, which is highest (1 bit) where the probability "
        f"is .5; below {pictures.LEAST_PROBABILITY} and {pictures.LEAST_ENTROPY} bit nothing is "
        f"coloured. {PLANES}"
    )
    yield _figure(scan, layout, "certainty", description, caption)
    for desc, other, outline, caption in (
        ("networks", made.junior, panels.JUNIOR, "Masks of the senior and of the junior alone. "),
        ("truth", _cut(truth, made.box), panels.TRUTH, "The mask and the manual one (--truth). "),
    ):
        if other is not None:
            both = ((mask, panels.TUMOUR), (other, outline))
            description = pictures.comparison_picture(head, both, seen, picture(desc))
            yield _figure(scan, layout, desc, description, caption + PLANES)
    if viewer:
        yield _write_viewer(scan, layout, made)


def _draw_registration(scan: Scan, layout: Layout) -> Path:
    frames = (
        layout.figure(scan, "registration", ".svg"),
        layout.figure(scan, "template", ".svg"),
    )
    brain = slices.upright(load_volume(layout.standard_image(scan)))
    template = slices.upright(Volume.of(standard_brain(layout.resolution)))
    part = layout.figure(scan, "registration")
    write_page(
        part,
        "flicker.html",
        scan=scan.name,
        other="template",
        descriptions=pictures.registration_pictures(brain, template, frames),
        sources=[_from_page(frame) for frame in frames],
        caption="The brain after the affine alignment, and the template; both with the outline of "
        f"the template's brain. {CONVENTION} Positions are in mm, in the template's space.",
    )
    return part


def _write_viewer(scan: Scan, layout: Layout, made: Segmentation) -> Path:
    page = layout.figure(scan, "viewer")
    write_viewer(
        made.head,
        made.brain,
        made.mask,
        made.probability,
        title=scan.name,
        page=page,
        library=layout.viewer_library,
    )
    part = layout.figure(scan, "interactive")
    write_page(part, "interactive.html", scan=scan.name, source=_from_page(page))
    return part


def _figure(scan: Scan, layout: Layout, desc: str, description: str, caption: str) -> Path:
    part = layout.figure(scan, desc)
    source = _from_page(layout.figure(scan, desc, ".svg"))
    write_page(
        part,
        "figure.html",
        scan=scan.name,
        source=source,
        description=description,
        caption=caption,
    )
    return part


def _from_page(path: Path) -> str:
    """Link from the participant's page, which lies beside the participant's folder."""
    return path.relative_to(path.parents[2]).as_posix()


def _cut(volume: Volume | None, box: Sequence[slice]) -> Volume | None:
    return None if volume is None else slices.cropped(slices.upright(volume), box)
