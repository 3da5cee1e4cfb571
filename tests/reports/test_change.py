"""The plot of volumes says what the verdict says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes

from synthtumour_bids.measures.change import Verdict, change_between, change_map
from synthtumour_bids.reports.change import volume_plot


@pytest.mark.parametrize("before", [4, 30, 100, 400])
@pytest.mark.parametrize("percent", [60, 70, 75, 100, 125, 130, 134, 137, 140, 150])
def test_bars_overlap_where_there_is_no_measurable_change(
    before: int, percent: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = before * percent / 100
    voxels = np.arange(600_000)  # of a hundredth of a mL, the smaller lesion within the larger one
    changes = change_map(voxels < 100 * before, voxels < 100 * after)
    verdict = change_between(before, after, changes, 0.01, None, None).verdict
    drawn: dict[str, Any] = {}
    monkeypatch.setattr(
        Axes, "errorbar", lambda _, x, y, *, yerr, **_style: drawn.update(y=y, yerr=yerr)
    )
    sessions = [
        {"session_id": f"ses-{number}", "volume_mL": volume, "years": None}
        for number, volume in enumerate((float(before), after), 1)
    ]
    volume_plot(sessions, tmp_path / "plot.svg")
    (low, bar), (high, other) = sorted(zip(drawn["y"], drawn["yerr"], strict=True))
    assert (low + bar >= high - other) == (verdict is Verdict.NOT_MEASURABLE)
