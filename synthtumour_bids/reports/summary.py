"""What a group of scans comes to: agreement with the truth, and masks where no tumour is."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median, stdev
from typing import Any

from synthtumour_bids.settings import Role

MARKED_ML = 1.0  # a tumour-free scan with more is a false positive


@dataclass(frozen=True)
class Summary:
    """Agreement with the truth over all scans that have one, and masks where no tumour is.

    Attributes
    ----------
    n_scans
        Segmented scans.
    n_truth
        Those with a manual mask; the other fields are about them, NaN or empty without any.
    mean_dice, sd_dice, median_dice
        Over the scans.
    median_hd95_mm, median_volume_error_percent
        Over the scans where they are defined; the error without its sign.
    mean_junior_dice
        Of the junior's masks: what the senior must beat.
    worst
        Up to three scans with the lowest Dice, the lowest first.
    n_held_out, n_marked
        Tumour-free scans that were held out, and those in whom more than `MARKED_ML` are marked.
    n_learned
        Scans with a manual mask that no figure is about, as the senior learned what a person had
        drawn in them.
    """

    n_scans: int
    n_truth: int
    mean_dice: float
    sd_dice: float
    median_dice: float
    median_hd95_mm: float
    median_volume_error_percent: float
    mean_junior_dice: float
    worst: tuple[tuple[str, float], ...]
    n_held_out: int = 0
    n_marked: int = 0
    n_learned: int = 0

    def text(self) -> str:
        """Say it in a few lines."""
        if self.n_truth == 0:
            first = f"{self.n_scans} scans segmented; no truth to compare with."
            return "\n".join([first, *self._left_out(), *self._false_positives()])
        first = (
            f"{self.n_scans} scans segmented, {self.n_truth} of them compared with the truth: "
            f"Dice {self.mean_dice:.3f} ± {self.sd_dice:.3f} (median {self.median_dice:.3f}), "
            f"median HD95 {self.median_hd95_mm:.1f} mm, "
            f"median volume error {self.median_volume_error_percent:.0f} %."
        )
        junior = self.mean_junior_dice
        between = [f"Mean Dice of the junior: {junior:.3f}."] if math.isfinite(junior) else []
        worst = ", ".join(f"{scan} {dice:.3f}" for scan, dice in self.worst)
        told = [first, *between, f"Lowest: {worst}."]
        return "\n".join([*told, *self._left_out(), *self._false_positives()])

    def false_positives(self) -> str:
        """Say in a sentence what is marked in held-out tumour-free scans; empty without any."""
        if not self.n_held_out:
            return ""
        return (
            f"{self.n_marked} of {self.n_held_out} held-out tumour-free scans with more than "
            f"{MARKED_ML:g} mL marked."
        )

    def _left_out(self) -> list[str]:
        if not self.n_learned:
            return []
        told = "Left out of the comparison: scans whose corrected masks the senior learned from"
        return [f"{told} ({self.n_learned})."]

    def _false_positives(self) -> list[str]:
        return [sentence] if (sentence := self.false_positives()) else []


def summarise(rows: Sequence[Mapping[str, Any]], learned: Collection[str] = ()) -> Summary:
    """Sum up the agreement with the truth, and what is marked where there is no tumour.

    Parameters
    ----------
    rows
        Of the scans' table.
    learned
        Names of the tumour scans whose corrected masks the senior learned from; those of scans that
        were held out may be the same in another dataset.
    """
    held_out = [row for row in rows if row.get("role") == Role.HELD_OUT]
    known = [row for row in rows if finite(row.get("dice"))]
    scored = [
        row for row in known if row["scan"] not in learned or row.get("role") == Role.HELD_OUT
    ]
    dice = numbers(scored, "dice")
    worst = sorted(scored, key=lambda row: float(row["dice"]))[:3]
    return Summary(
        n_scans=len(rows),
        n_truth=len(dice),
        mean_dice=_or_nan(fmean, dice),
        sd_dice=stdev(dice) if len(dice) > 1 else math.nan if not dice else 0.0,
        median_dice=_or_nan(median, dice),
        median_hd95_mm=_or_nan(median, numbers(scored, "hd95_mm")),
        median_volume_error_percent=_or_nan(
            median, [abs(value) for value in numbers(scored, "volume_error_percent")]
        ),
        mean_junior_dice=_or_nan(fmean, numbers(scored, "junior_dice")),
        worst=tuple((str(row["scan"]), float(row["dice"])) for row in worst),
        n_held_out=len(held_out),
        n_marked=sum(volume > MARKED_ML for volume in numbers(held_out, "volume_mL")),
        n_learned=len(known) - len(scored),
    )


def finite(value: Any) -> bool:
    """Whether a value is a number."""
    return isinstance(value, (int, float)) and math.isfinite(value)


def numbers(rows: Iterable[Mapping[str, Any]], name: str) -> list[float]:
    """Values of a column that are numbers."""
    return [float(row[name]) for row in rows if finite(row.get(name))]


def _or_nan(function: Any, values: Sequence[float]) -> float:
    return float(function(values)) if values else math.nan
