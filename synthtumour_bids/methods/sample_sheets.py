"""Contact sheets of what the networks learn from, for people to look at before they trust them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.reports.sample_mosaic import synthetic_mosaic
from synthtumour_bids.volumes import load_volume

SHOWN = 12


def draw_sheet(samples: Sequence[tuple[Path, Path, str]], path: Path, title: str) -> None:
    """Picture some samples, spread over all of them, on one page.

    Parameters
    ----------
    samples
        Image, label and caption of each.
    path
        PNG file to write.
    title
        Line above.
    """
    if not samples:
        return
    step = max(1, len(samples) // SHOWN)
    volumes = [
        (load_volume(image), load_volume(label), caption)
        for image, label, caption in samples[::step][:SHOWN]
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    synthetic_mosaic(
        [(_raised(image.data), label.data, caption) for image, label, caption in volumes],
        path,
        title,
        volumes[0][0].spacing,
    )


def _raised(data: NDArray[np.float32]) -> NDArray[np.float32]:
    """Raise brightness that is centred on zero; the background stays 0."""
    lowest = float(data.min())
    return data if lowest >= 0 else np.where(data == 0, 0, data - lowest)
