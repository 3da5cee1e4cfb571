"""Plot of what a run used, with the seconds of its steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from synthtumour_bids.execution.progress import describe_seconds
from synthtumour_bids.execution.usage import Measurement, read_usage, step_spans
from synthtumour_bids.reports.line_chart import Chart, Mark
from synthtumour_bids.reports.templates import write_page

MOST_POINTS = 1500
_UNITS = ((3 * 86400, 86400, "days"), (3 * 3600, 3600, "hours"), (600, 60, "minutes"))


def write_usage_plot(table: Path) -> str:
    """Write a page beside a table of measurements; return the seconds of each step in words."""
    measured = read_usage(table)
    spans = step_spans(measured)
    by_step: dict[str, float] = {}
    for step, start, end in spans:
        by_step[step] = by_step.get(step, 0.0) + end - start
    words = ", ".join(f"{step} {describe_seconds(s)}" for step, s in by_step.items())
    write_page(
        table.with_suffix(".html"),
        "resources.html",
        run=table.parent.name,
        charts=_charts(measured, spans) if measured else [],
        steps=[(step, f"{seconds:.0f}") for step, seconds in by_step.items()],
    )
    return words


def _charts(
    measured: Sequence[Measurement], spans: Sequence[tuple[str, float, float]]
) -> list[Chart]:
    whole = measured[-1].seconds
    length, unit = next(((n, name) for limit, n, name in _UNITS if whole > limit), (1, "seconds"))
    shown = measured[:: max(1, len(measured) // MOST_POINTS)]
    x = [one.seconds / length for one in shown]
    marks = tuple(Mark(step, start / length, end / length) for step, start, end in spans)

    def values(name: str) -> list[float]:
        found = (getattr(one, name) for one in shown)
        return [math.nan if value is None else float(value) for value in found]

    memory = {"this machine": values("memory_gb")}
    if any(one.gpu_memory_gb is not None for one in shown):
        memory["GPU"] = values("gpu_memory_gb")
    cores = values("cores")
    charts = [
        Chart("Memory", unit, "GB", x, memory, marks, _from_zero(*memory.values())),
        Chart("Processor", unit, "cores in use", x, {"cores": cores}, marks, _from_zero(cores)),
    ]
    if any(one.gpu_percent is not None for one in shown):
        percent = {"highest of all devices": values("gpu_percent")}
        charts.append(Chart("GPU utilisation", unit, "%", x, percent, marks, (0.0, 100.0)))
    return charts


def _from_zero(*lines: Sequence[float]) -> tuple[float, float]:
    """Ends of an axis from 0 to a little beyond the highest value."""
    return 0.0, 1.05 * max((y for line in lines for y in line if y > 0), default=1.0)
