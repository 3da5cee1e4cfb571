"""What a report says of the mask on a T1w image's grid: facts, pictures, and what to do next."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib

from synthtumour_bids.bids.derivatives import sidecar_path
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.t1w import T1w
from synthtumour_bids.files import write_json
from synthtumour_bids.layout import T1W_SPACE, Layout
from synthtumour_bids.preprocessing.reading import read_volume
from synthtumour_bids.reports import pictures, slices
from synthtumour_bids.reports.facts import Fact
from synthtumour_bids.reports.next_steps import next_steps
from synthtumour_bids.reports.slices import CONVENTION
from synthtumour_bids.reports.templates import write_page
from synthtumour_bids.steps.t1w import InT1w
from synthtumour_bids.volumes import Volume, load_nifti, load_volume

MARGIN_MM = 15.0  # around the brain, in pictures


@dataclass(frozen=True)
class T1wReport:
    """A mask on a T1w image's grid, as a report needs it.

    Attributes
    ----------
    t1w, found
        The image, and what became of the mask there.
    roi_dir
        Dataset of lesion masks, as a shell reads it.
    """

    t1w: T1w
    found: InT1w
    roi_dir: str


def t1w_facts(report: T1wReport) -> list[Fact]:
    """Say which T1w image it is, and how well the two agree."""
    image = report.t1w.image.path.name
    if report.found.others:
        image += f", chosen among {len(report.found.others) + 1} ({', '.join(report.found.others)})"
    measured = report.found.measured
    agree = f"rigid; mutual information {measured['t1w_information']:.2f}"
    return [
        ("T1w image", image),
        ("On its grid", f"{measured['volume_mL']:.1f} mL; alignment {agree}"),
    ]


def tell_flags(scan: Scan, layout: Layout, report: T1wReport) -> None:
    """Put the flags, which hang on the whole cohort, into the mask's sidecar."""
    path = sidecar_path(layout.in_t1w(scan, label="L", suffix="mask"))
    if not path.is_file():
        return
    said = json.loads(path.read_text(encoding="utf-8"))
    flags = list(report.found.flags)
    if said.get("T1wFlags") != flags:
        write_json(path, {**said, "T1wFlags": flags})


def write_next_steps(scan: Scan, layout: Layout, report: T1wReport) -> None:
    """Write the commands of other tools that use the mask."""
    image = report.t1w.image
    mask = layout.in_t1w(scan, label="L", suffix="mask")
    write_page(
        layout.figure(scan, "next"),
        "next.html",
        scan=scan.name,
        t1w=image.path.name,
        commands=next_steps(
            participant=scan.subject,
            session=scan.session,
            t1w=image.path.relative_to(image.dataset).as_posix(),
            mask=mask.relative_to(layout.output_dir).as_posix(),
            roi_dir=report.roi_dir,
            filters=report.t1w.filters,
        ),
    )


def draw_t1w(scan: Scan, layout: Layout, image: Path) -> Path:
    """Draw scan and T1w image on the latter's grid; return the part of the report."""
    reference = read_volume(image)
    head = on_t1w(layout.native_image(scan), reference, scan, layout)
    brain = slices.upright(brain_on_t1w(reference, scan, layout))
    box = slices.box_around(brain.mask, brain.spacing, MARGIN_MM)
    mask = load_volume(layout.in_t1w(scan, label="L", suffix="mask"))
    head, image_there, mask = (
        slices.cropped(slices.upright(one), box) for one in (head, Volume.of(reference), mask)
    )
    frames = (layout.figure(scan, "t1w", ".svg"), layout.figure(scan, "t1wimage", ".svg"))
    descriptions = pictures.t1w_pictures(
        head, image_there, mask, slices.cropped(brain, box), frames
    )
    part = layout.figure(scan, "t1w")
    write_page(
        part,
        "flicker.html",
        scan=scan.name,
        other="T1w image",
        descriptions=descriptions,
        sources=[frame.relative_to(frame.parents[2]).as_posix() for frame in frames],
        caption=f"The scan on the grid of {image.name}, and that image; both with the outlines of "
        f"the scan's brain and of the tumour. {CONVENTION} Positions are in mm, in the T1w "
        "image's own coordinates.",
    )
    return part


def brain_on_t1w(reference: nib.Nifti1Image, scan: Scan, layout: Layout) -> Volume:
    """The scan's brain mask on the grid of its T1w image."""
    brain = on_t1w(layout.native_brain(scan), reference, scan, layout)
    return replace(brain, data=brain.data.round())


def on_t1w(path: Path, reference: nib.Nifti1Image, scan: Scan, layout: Layout) -> Volume:
    """Carry an image of the scan's grid to that of its T1w image."""
    from synthtumour_bids.spaces.carry import Leg, carry

    way = [Leg(layout.transform(scan, to=T1W_SPACE))]
    return replace(Volume.of(reference), data=carry(load_nifti(path), reference, way))
