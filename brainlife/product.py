"""What a Brainlife task gives back: mask, report and ``product.json``."""

from __future__ import annotations

import html
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from synthtumour_bids import __version__

MOST_WARNINGS = 10
Message = dict[str, Any]


def copy_mask(source: Path, target: Path) -> None:
    """Put the mask of a single scan, if there is one, where the datatype has it."""
    if not source.is_file():
        return
    target.parent.mkdir(exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    shutil.copyfile(source, part)
    part.replace(target)


def copy_report(output: Path, report: Path) -> None:
    """Gather reports with their pictures, and those of networks, with a page to start from."""
    pages = [
        path
        for pattern in ("*.html", "models/report.html", "derivatives/*/sub-*.html")
        for path in sorted(output.glob(pattern))
    ]
    pictures = [
        path
        for pattern in ("models/*.png", "models/*/*.png")
        for path in sorted(output.glob(pattern))
    ]
    figures = (
        path
        for pattern in (
            *("figures/*", "sub-*/figures/*", "derivatives/*/sub-*/figures/*"),
            *("models/figures/*", "models/pseudo_labels.*"),
        )
        for path in output.glob(pattern)
        if path.is_file()
    )
    for path in {*pages, *pictures, *figures}:
        target = report / path.relative_to(output)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    if pages or pictures:
        links, images = (
            [path.relative_to(output).as_posix() for path in paths] for paths in (pages, pictures)
        )
        (report / "index.html").write_text(page(links, images), encoding="utf-8")


def write_product(path: Path, made: Mapping[str, Any]) -> None:
    """Write ``product.json``, whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(made), encoding="utf-8")
    part.replace(path)


def page(links: Sequence[str], images: Sequence[str]) -> str:
    """A page with links to the reports and all pictures."""
    items = [f'<li><a href="{html.escape(link)}">{html.escape(link)}</a></li>' for link in links]
    figures = [
        f'<figure><img src="{html.escape(name)}" style="max-width:100%">'
        f"<figcaption>{html.escape(name)}</figcaption></figure>"
        for name in images
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>synthtumour_bids {__version__}</title></head><body>\n"
        f"<h1>synthtumour_bids {__version__}</h1>\n<ul>{''.join(items)}</ul>\n"
        + "\n".join(figures)
        + "\n</body></html>\n"
    )


def product(
    code: int, words: str, results: Sequence[Mapping[str, Any]], mask: Path
) -> dict[str, Any]:
    """What Brainlife shows and stores of the task: messages, a graph, tags, a few figures.

    Parameters
    ----------
    code, words
        Exit code of the app, and the sentences with which it ended.
    results
        Figures of every segmented scan.
    mask
        Mask of a single scan; need not exist.
    """
    messages = [{"type": "error" if code else "success", "msg": words}]
    flagged = [result for result in results if result.get("qc_flags")]
    messages += [
        {
            "type": "warning",
            "msg": f"{result['scan']}: {', '.join(result['qc_flags'])}. Look at the segmentation.",
        }
        for result in flagged[:MOST_WARNINGS]
    ]
    if len(flagged) > MOST_WARNINGS:
        more = len(flagged) - MOST_WARNINGS
        messages.append({"type": "warning", "msg": f"{more} more scans have quality flags."})
    made: dict[str, Any] = {
        "brainlife": messages,
        "tags": [f"synthtumour_bids-{__version__}"],
        "exit_code": code,
    }
    if len(results) == 1:
        figures = results[0]
        made["mask"] = {"tags": ["lesion", *(figures.get("qc_flags") or [])]}
        made["figures"] = {key: value for key, value in figures.items() if value is not None}
        messages.append(
            {
                "type": "info",
                "msg": f"Tumour: {figures['volume_mL']:.1f} mL, parts: {figures['n_components']}.",
            }
        )
        if mask.is_file():
            messages += area_graph(mask)
    elif results:
        volumes = [float(result["volume_mL"]) for result in results]
        made["figures"] = {
            "n_scans": len(results),
            "n_flagged": len(flagged),
            "median_volume_mL": round(median(volumes), 2),
        }
        messages.append(
            graph("Tumour volumes", {"type": "histogram", "x": volumes}, "volume (mL)", "scans")
        )
    return made


def graph(name: str, trace: Mapping[str, Any], x_title: str, y_title: str) -> Message:
    """One plotly graph with one trace."""
    layout = {"xaxis": {"title": x_title}, "yaxis": {"title": y_title}}
    return {"type": "plotly", "name": name, "data": [trace], "layout": layout}


def area_graph(path: Path) -> list[Message]:
    """Area of the tumour by slice, from the lowest to the highest; nothing without tumour."""
    import nibabel as nib
    import numpy as np

    image: Any = nib.as_closest_canonical(nib.load(path))
    width, depth, height = (float(size) for size in image.header.get_zooms()[:3])
    area = (np.asanyarray(image.dataobj) > 0).sum(axis=(0, 1)) * width * depth / 100
    slices = np.flatnonzero(area)
    if not slices.size:
        return []
    shown = range(int(slices[0]), int(slices[-1]) + 1)
    trace = {
        "type": "bar",
        "x": [round(index * height, 1) for index in shown],
        "y": [round(float(area[index]), 2) for index in shown],
    }
    return [graph("Tumour by slice", trace, "height above the lowest slice (mm)", "area (cm²)")]
