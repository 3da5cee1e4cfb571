"""Sheets of what the networks learn from, for people to look at before they trust them.

Samples are scratch data; a sheet keeps pictures of some of them with the networks, and what is
known of each: where it was put, its volume, and how it was made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from synthtumour_bids.bids.derivatives import sidecar_path
from synthtumour_bids.files import write_json
from synthtumour_bids.layout import Layout
from synthtumour_bids.reports.pictures import sample_picture
from synthtumour_bids.reports.slices import upright
from synthtumour_bids.volumes import Volume, load_volume

SHOWN = 8  # of each group


@dataclass(frozen=True)
class SheetSample:
    """A sample that may be shown.

    Attributes
    ----------
    name
        Unique among the samples of a sheet.
    group
        What it is for: the heading that it is shown under.
    images
        The image; or that before a step, and that after it.
    label
        Its label.
    facts
        What is known besides its volume, in words.
    parameters
        How it was made, JSON-able.
    """

    name: str
    group: str
    images: tuple[Path, ...]
    label: Path
    facts: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_sidecar(cls, name: str, group: str, image: Path, label: Path) -> SheetSample:
        """Describe a sample by the sidecar of its image."""
        path = sidecar_path(image)
        content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        words = {"Tumour": "tumour of", "Host": "host", "HostPart": "part of the host"}
        facts = {words[key]: str(content[key]) for key in words if key in content}
        return cls(name, group, (image,), label, facts, content.get("Parameters", {}))


def draw_sheet(samples: Sequence[SheetSample], layout: Layout, stage: str, title: str) -> None:
    """Picture some samples of each group, spread over all of them.

    Parameters
    ----------
    samples
        All that there are.
    layout
        Where the sheet lies; pictures of an earlier sheet go.
    stage
        Name of the sheet.
    title
        Heading of the sheet.
    """
    record = layout.training_record(stage)
    for old in record.parent.glob(f"{stage}_*.svg"):
        old.unlink()
    chosen = _some_of_each_group(samples)
    shown = [
        _shown(one, layout.training_figure(f"{stage}_{n:02d}")) for n, one in enumerate(chosen)
    ]
    write_json(record, {"Title": title, "Count": len(samples), "Samples": shown})


def _some_of_each_group(samples: Iterable[SheetSample]) -> list[SheetSample]:
    groups: dict[str, list[SheetSample]] = {}
    for sample in samples:
        groups.setdefault(sample.group, []).append(sample)
    return [one for group in groups.values() for one in group[:: -(-len(group) // SHOWN)]]


def _shown(sample: SheetSample, picture: Path) -> dict[str, Any]:
    """Draw one sample; return what the page says of it."""
    images = [_raised(upright(load_volume(path))) for path in sample.images]
    label = upright(load_volume(sample.label))
    volume_ml = float(np.count_nonzero(label.data) * np.prod(label.spacing)) / 1000
    return {
        "Name": sample.name,
        "Group": sample.group,
        "Picture": picture.name,
        "Description": sample_picture(images, label, picture),
        "VolumeML": round(volume_ml, 2),
        "Facts": sample.facts,
        "Parameters": sample.parameters,
    }


def _raised(volume: Volume) -> Volume:
    """Raise brightness that is centred on zero; the background stays 0."""
    lowest = float(volume.data.min())
    if lowest >= 0:
        return volume
    raised = np.where(volume.data == 0, 0, volume.data - lowest)
    return Volume(raised, volume.affine, volume.spacing)
