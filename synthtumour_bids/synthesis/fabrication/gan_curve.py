"""A picture of a training of TF-GAN: what chose the generator that was kept, and the losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...files import replacing
from .gan_state import LEFT_OUT

CURVE = "curve.png"
_NO_LOSSES = ("step", "distance", "distances", *LEFT_OUT)


def plot_curve(history: Sequence[Mapping[str, Any]], best_step: int, path: Path) -> None:
    """Plot the energy distance of each evaluation and the mean losses since the one before.

    Parameters
    ----------
    history
        One record per evaluation; the first is that of the coarse samples.
    best_step
        Evaluation whose weights are kept.
    path
        The picture; it is whole or not there.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 7), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True)
    steps = [entry["step"] for entry in history]
    distances = [entry["distance"] for entry in history]
    best = distances[steps.index(best_step)]
    above.plot(steps, distances, "o-", color="tab:orange", markersize=3, label="refined samples")
    above.axhline(distances[0], color="0.6", linestyle=":", label="coarse samples")
    kept = f"kept: step {best_step} ({best:.4f})"
    above.axvline(best_step, color="0.4", linestyle="--", label=kept)
    above.set_ylabel("energy distance to held-out real lesions")
    above.legend(fontsize="small")
    for name, points in losses_of(history).items():
        below.plot(*zip(*points, strict=True), "o-", markersize=3, label=name.replace("_", " "))
    below.axvline(best_step, color="0.4", linestyle="--")
    below.set_xlabel("step, warm-up included")
    below.set_ylabel("mean loss since the last evaluation")
    if below.get_legend_handles_labels()[0]:
        below.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    with replacing(path) as partial:
        figure.savefig(partial, dpi=100)


def losses_of(history: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[int, float]]]:
    """Step and mean of each loss, by its name; the warm-up has one of its own."""
    found: dict[str, list[tuple[int, float]]] = {}
    for entry in history:
        for name, value in entry.items():
            if name not in _NO_LOSSES:
                found.setdefault(name, []).append((entry["step"], value))
    return found
