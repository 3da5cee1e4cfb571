"""How often it is tumour where a probability map says so, on cases whose tumours are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.files import replacing
from synthtumour_bids.segmentation.checked_values import items, number, whole

BINS = 10
PICTURE = "reliability.png"
MOST_VOXELS = 10**12


@dataclass(frozen=True)
class Reliability:
    """Voxels by their probability, in bins of one width that have any.

    Attributes
    ----------
    said
        Mean probability in each bin.
    seen
        Share of its voxels that are tumour.
    voxels
        How many it has.
    """

    said: tuple[float, ...]
    seen: tuple[float, ...]
    voxels: tuple[int, ...]

    @property
    def error(self) -> float:
        """Mean distance of what is said and what is seen, over the voxels (expected error)."""
        counts = np.array(self.voxels, float)
        gaps = np.abs(np.array(self.said) - np.array(self.seen))
        return float((counts * gaps).sum() / counts.sum()) if counts.sum() else 0.0

    def to_json(self) -> dict[str, list[float]]:
        """Return what the model card tells."""
        return {
            "Probability": [round(one, 4) for one in self.said],
            "TumourShare": [round(one, 4) for one in self.seen],
            "Voxels": list(self.voxels),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Reliability:
        """Read what :meth:`to_json` gave.

        Raises
        ------
        ValueError
            Naming what is missing or out of its bounds.
        """
        voxels = content.get("Voxels")
        length = len(voxels) if isinstance(voxels, list) and len(voxels) <= BINS else BINS
        said, seen = (
            tuple(number(one, key, 0, 1) for one in items(content.get(key), key, length))
            for key in ("Probability", "TumourShare")
        )
        counts = (whole(one, "Voxels", 1, MOST_VOXELS) for one in items(voxels, "Voxels", length))
        return cls(said, seen, tuple(counts))


def reliability(probabilities: NDArray[np.floating], labels: NDArray[np.bool_]) -> Reliability:
    """Compare what probabilities say with what is so.

    Parameters
    ----------
    probabilities
        Of tumour, (N,), in [0, 1].
    labels
        Whether it is tumour, (N,).
    """
    place = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    filled = np.flatnonzero(counts)

    def means(values: NDArray[Any]) -> tuple[float, ...]:
        sums = np.bincount(place, weights=values, minlength=BINS)
        return tuple((sums[filled] / counts[filled]).clip(0, 1).tolist())

    return Reliability(means(probabilities), means(labels), tuple(counts[filled].tolist()))


def title_of(origin: str) -> str:
    """Title of a picture of the reliability on cases of this origin."""
    return f"Reliability on {origin}"


def write_picture(lines: Mapping[str, Reliability], folder: Path, origin: str) -> None:
    """Plot some by their names into ``reliability.png`` of a network's folder."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot((0, 1), (0, 1), color="0.6", linestyle="--", label="as it should be")
    for name, one in lines.items():
        axes.plot(one.said, one.seen, marker="o", label=f"{name} (error {one.error:.4f})")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability of tumour", title=title_of(origin))
    axes.set_ylabel("share of these voxels that is tumour")
    axes.legend(fontsize="small")
    with replacing(folder / PICTURE) as partial:
        figure.savefig(partial, dpi=100)
