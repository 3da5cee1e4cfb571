"""Whether the expected Dice of masks tells bad ones, and how reliable probabilities are.

Reads what finished runs left in their output folders. The Dice with the truth stands in their
tables, so they must have been run, or run again (``--steps report``), with ``--truth``. Scans of
several folders are pooled for the Dice; reliability, of the maps as they are and as they were
before their temperature, is told for each folder.

    python benchmarks/expected_dice.py OUT [OUT ...] [--truth DIR]
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from synthtumour_bids.bids.derivatives import sidecar_path
from synthtumour_bids.bids.lookup import find_truth
from synthtumour_bids.bids.names import derivative_path, parse_name
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.reports.group import SCAN_TABLE, read_results
from synthtumour_bids.segmentation.reliability import Reliability, reliability
from synthtumour_bids.segmentation.temperature import at_temperature
from synthtumour_bids.settings import Role
from synthtumour_bids.volumes import load_volume

BAD = 0.75  # true Dice below which a mask should be told of


@dataclass(frozen=True)
class Known:
    """A mask whose Dice was expected, and is known."""

    scan: str
    expected: float
    low: float
    high: float
    dice: float


def read_known(out: Path) -> list[Known]:
    """Masks of an output folder for which there are both."""
    with (out / SCAN_TABLE).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    columns = ("expected_dice", "expected_dice_low", "expected_dice_high", "dice")
    values = [(row["scan"], [row.get(name) or "n/a" for name in columns]) for row in rows]
    return [Known(scan, *map(float, own)) for scan, own in values if "n/a" not in own]


def auc(known: list[Known], bad: float = BAD) -> float:
    """Chance that of a bad and a good mask less is expected of the bad one; NaN without either."""
    sides = [[one.expected for one in known if (one.dice < bad) == side] for side in (True, False)]
    if not all(sides):
        return float("nan")
    return float(1 - stats.mannwhitneyu(*sides).statistic / (len(sides[0]) * len(sides[1])))


def figures(known: list[Known]) -> str:
    """Say in a few lines how well it was expected."""
    errors = np.array([abs(one.expected - one.dice) for one in known])
    held = np.mean([one.low <= one.dice <= one.high for one in known])
    pairs = np.array([(one.expected, one.dice) for one in known])
    alike = np.corrcoef(pairs.T)[0, 1] if len(known) > 1 else float("nan")
    return (
        f"{len(known)} masks, {sum(one.dice < BAD for one in known)} of them below {BAD:g}\n"
        f"AUC for these: {auc(known):.3f}\n"
        f"expected - true: mean {np.mean(pairs @ (1, -1)):+.3f}, correlation {alike:.2f}\n"
        f"|expected - true|: median {np.median(errors):.3f}, 90th percentile "
        f"{np.quantile(errors, 0.9):.3f}\n"
        f"intervals that hold the truth: {held:.0%} (90 % are meant to)"
    )


def scan_of(name: str, out: Path) -> Scan:
    """The scan of a row, for the names of its files."""
    parsed = parse_name(f"{name}.nii.gz")
    if parsed is None:
        raise ValueError(f"{name} is not the name of a scan")
    path = out / f"{name}.nii.gz"
    return Scan(path, parsed.entities, parsed.suffix, Role.TUMOUR, out)


def measured_reliability(out: Path, truth: Path) -> tuple[Reliability, Reliability] | None:
    """Reliability of all maps of a folder before their temperatures and as they are.

    Parameters
    ----------
    out
        The output folder.
    truth
        Folder of manual masks on the scans' grids, named as for ``--truth``.
    """
    said: list[NDArray[np.float32]] = []
    before: list[NDArray[np.float32]] = []
    labels: list[NDArray[np.bool_]] = []
    for result in read_results(out):
        scan = scan_of(str(result["scan"]), out)
        mask = find_truth(scan, truth)
        if mask is None:
            print(f"{scan.name}: no manual mask under {truth}, so it is left out")
            continue
        inside = load_volume(derivative_path(scan, out, desc="brain", suffix="mask")).mask
        path = derivative_path(scan, out, label="L", suffix="probseg")
        told = json.loads(sidecar_path(path).read_text(encoding="utf-8")).get("Calibration", {})
        values = load_volume(path).data[inside]
        said.append(values)
        before.append(at_temperature(values, 1 / told.get("Temperature", 1.0)))
        labels.append(load_volume(mask).mask[inside])
    if not said:
        return None
    known = np.concatenate(labels)
    return reliability(np.concatenate(before), known), reliability(np.concatenate(said), known)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, nargs="+", help="output folders of finished runs")
    parser.add_argument("--truth", type=Path, help="manual masks, for the reliability")
    options = parser.parse_args()
    known = [one for out in options.out for one in read_known(out)]
    if known:
        for one in sorted(known, key=lambda one: one.dice):
            interval = f"{one.low:.2f} to {one.high:.2f}"
            print(f"{one.scan}: expected {one.expected:.3f} ({interval}), true {one.dice:.3f}")
        print(figures(known))
    else:
        print(
            "No scan has both an expected Dice and a true one. The network must have been "
            "calibrated (Calibration in its model.json), and the report made with --truth."
        )
    for out in options.out if options.truth else ():
        lines = measured_reliability(out, options.truth)
        for name, line in zip(("before", "as written"), lines or (), strict=False):
            print(f"{out}, {name}: mean error {line.error:.4f}")
            for said, seen, voxels in zip(line.said, line.seen, line.voxels, strict=True):
                print(f"  said {said:.3f}, seen {seen:.3f} ({voxels} voxels)")
    return 0 if known else 1


if __name__ == "__main__":
    sys.exit(main())
