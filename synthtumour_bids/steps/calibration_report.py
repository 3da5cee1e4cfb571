"""What the training report says of a network's calibration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from synthtumour_bids.methods.calibration import AFTER, BEFORE
from synthtumour_bids.reports.facts import Fact
from synthtumour_bids.reports.line_chart import Chart
from synthtumour_bids.segmentation.calibration import Calibration
from synthtumour_bids.segmentation.reliability import Reliability, title_of

IDEAL = "as it should be"


def calibration_facts(calibration: Calibration) -> Iterator[Fact]:
    """Temperature, and what an expected Dice is worth."""
    before, after = calibration.before.error, calibration.after.error
    cases = f"fitted on {calibration.cases} cases with known tumours ({calibration.origin})"
    errors = f"mean error of the probability {before:.4f} before and {after:.4f} after"
    yield "Temperature", f"{calibration.temperature:.2f}, {cases}; {errors}"
    line = calibration.expected_dice
    if line is None:
        yield "Expected Dice", "not known: there were too few cases"
        return
    if line.planted:
        yield "Expected Dice", "not known: it was calibrated for a test that is not done any more"
        return
    within = f"of {line.masks} masks of these, nine of ten were within {line.margin:.2f} of it"
    yield "Expected Dice", f"by how sure the network is; {within}"


def reliability_chart(calibration: Calibration) -> Chart:
    """Share of tumour by probability, before and after."""
    known = {BEFORE: calibration.before, AFTER: calibration.after}
    places = sorted({0.0, 1.0}.union(*(one.said for one in known.values())))
    lines = {name: _joined(places, one) for name, one in known.items()}
    return Chart(
        title_of(calibration.origin),
        "probability of tumour",
        "share of these voxels that is tumour",
        places,
        {**lines, IDEAL: places},
        (),
        (0.0, 1.0),
    )


def _joined(places: Sequence[float], one: Reliability) -> list[float]:
    """Values at all places: on the straight lines between points, and none beyond them."""
    joined: list[float] = np.interp(places, one.said, one.seen, np.nan, np.nan).tolist()
    return joined
