"""What the demo tells at its end: where the masks are, and what Dice they reach."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from synthtumour_bids.reports.group import PARTICIPANT_TABLE, SCAN_TABLE

USUAL_DICE = 0.715  # of the demo as it is without options: benchmarks/RESULTS.md


def masks_of(output: Path) -> list[Path]:
    """Masks on their scans' own grids."""
    masks = sorted(output.glob("sub-*/**/anat/*_label-L_mask.nii.gz"))
    return [path for path in masks if "_space-" not in path.name]


def dice_of(output: Path, column: str = "dice") -> dict[str, float]:
    """Dice by scan; empty where the table or its column is not there."""
    table = output / SCAN_TABLE
    if not table.is_file():
        return {}
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    values = {
        row["scan"].removesuffix("_FLAIR"): float(row[column])
        for row in rows
        if row.get(column) not in (None, "", "n/a")
    }
    return {scan: value for scan, value in values.items() if math.isfinite(value)}


def closing_words(output: Path, *, usual: bool = False) -> str:
    """Tell where the results are, what Dice they reach, and what the senior learned.

    Parameters
    ----------
    output
        The derivative dataset.
    usual
        Whether the demo ran as it is without options, so that it is known what is to be expected.
    """
    masks = masks_of(output)
    lines = []
    if masks:
        lines += ["Masks:", *(f"  {path}" for path in masks)]
    lines += [
        f"{title:13} {output / name}"
        for title, name in (("Group table:", SCAN_TABLE), ("Participants:", PARTICIPANT_TABLE))
        if (output / name).is_file()
    ]
    if dice := dice_of(output):
        lines.append(f"Mean Dice against the simulated truth: {_mean(dice)}")
    if before := dice_of(output, "junior_dice"):
        lines.append(f"The junior's, from whose pseudo-labels the senior learned: {_mean(before)}")
    if dice and usual:
        lines.append(
            f"To be expected were about {USUAL_DICE:.2f}: networks that train for a minute and a "
            "half on a 4-mm grid mark too much around some tumours. Profile fast trains for half "
            "an hour at 2 mm."
        )
    return "\n".join(lines) or f"Nothing was segmented; see {output / 'logs'}."


def _mean(dice: Mapping[str, float]) -> str:
    each = ", ".join(f"{scan} {value:.2f}" for scan, value in dice.items())
    return f"{fmean(dice.values()):.3f}  ({each})"
