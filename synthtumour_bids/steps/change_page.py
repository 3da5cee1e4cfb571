"""The part of a participant's page that tells of change between sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from synthtumour_bids.bids.images import MAIN
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.layout import Layout
from synthtumour_bids.measures.change import NUMBERS, ORIGIN, Voxel
from synthtumour_bids.reports import pictures, slices
from synthtumour_bids.reports.change import volume_plot
from synthtumour_bids.reports.panels import Outline
from synthtumour_bids.reports.slices import CONVENTION
from synthtumour_bids.reports.templates import write_page
from synthtumour_bids.volumes import Volume, load_volume

MARGIN_MM = 30.0  # around the lesion in pictures


def write_part(record: Mapping[str, Any], scans: Sequence[Scan], layout: Layout) -> list[Path]:
    """Write plot, pictures and the part that shows them; return their paths.

    Parameters
    ----------
    record
        Of the participant, as in ``logs/changes``.
    scans
        Those compared, in the record's order.
    """
    subject = scans[0].subject
    page = layout.page_part(MAIN, subject, "change")
    plot = page.with_suffix(".svg")
    sessions = record["Sessions"]
    figures = [
        {
            "source": _from_page(plot),
            "description": volume_plot(sessions, plot),
            "caption": "Volume of the tumour mask. The bars of two sessions overlap where repeated "
            "scans of an unchanged head differ as much; the verdict in the table goes by the other "
            "limits, too.",
            "small": True,
        }
    ]
    paths = [page, plot]
    for (before, after), scan in zip(pairwise(scans), scans[1:], strict=True):
        picture = layout.figure(scan, "change", ".svg")
        figures.append(
            {
                "source": _from_page(picture),
                "description": _draw(before, after, layout, picture),
                "caption": f"The scan of ses-{after.session} with the outlines of both sessions' "
                "masks. For this comparison every scan was moved half the way to the others; "
                f"positions are in mm there. {CONVENTION}",
                "small": False,
            }
        )
        paths.append(picture)
    pairs = zip(pairwise(sessions), record["Changes"], strict=True)
    write_page(
        page,
        "change.html",
        origin=ORIGIN,
        problems=record["Problems"],
        changes=[_words(before, after, change) for (before, after), change in pairs],
        figures=figures,
    )
    return paths


def _draw(before: Scan, after: Scan, layout: Layout, path: Path) -> str:
    """Draw both masks on the later scan."""
    head = load_volume(layout.halfway_image(after))
    changes = load_volume(layout.halfway_change(after))

    def mask(*parts: Voxel) -> Volume:
        inside = np.isin(changes.data, [NUMBERS[one] for one in parts])
        return Volume(inside.astype(np.float32), changes.affine, changes.spacing)

    then, now = mask(Voxel.STABLE, Voxel.GONE), mask(Voxel.STABLE, Voxel.NEW)
    box = slices.box_around(changes.mask, changes.spacing, MARGIN_MM)
    seen = slices.cropped(mask(*Voxel), box).mask
    outlines = (
        Outline(f"ses-{before.session}", "#56B4E9", "dashed"),
        Outline(f"ses-{after.session}", "#E69F00"),
    )
    drawn = [
        (slices.cropped(one, box), outline)
        for one, outline in zip((then, now), outlines, strict=True)
    ]
    return pictures.comparison_picture(slices.cropped(head, box), drawn, seen, path)


def _words(
    before: Mapping[str, Any], after: Mapping[str, Any], change: Mapping[str, Any]
) -> dict[str, Any]:
    """A row of the page's table."""
    percent, rate = change["change_percent"], change["radius_rate_mm_per_year"]
    differ = change["difference_sd"]
    radius = f"{change['radius_change_mm']:+.1f} mm"
    if rate is not None:
        radius += f" in {change['interval_years']:.2g} years: {rate:+.1f} mm/year"
    return {
        "sessions": f"{before['session_id']} to {after['session_id']}",
        "volumes": f"{before['volume_mL']:.1f} to {after['volume_mL']:.1f} mL",
        "verdict": change["verdict"],
        "change": f", {change['change_mL']:+.1f} mL"
        + ("" if percent is None else f" ({percent:+.0f} %)")
        + f"; measurable from {change['smallest_measurable_mL']:.1f} mL",
        "new": f"{change['new_mL']:.1f} mL",
        "gone": f"{change['gone_mL']:.1f} mL",
        "scans": "" if differ is None else f"{differ:+.1f} SD",
        "radius": radius,
        "unlike": bool(change["flags"]),
    }


def _from_page(path: Path) -> str:
    """Link from the participant's page, which lies beside the participant's folder."""
    return path.relative_to(path.parents[2]).as_posix()
