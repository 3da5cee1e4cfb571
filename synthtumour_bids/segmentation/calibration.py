"""What a network's card tells of how far its answers can be trusted, from cases that are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synthtumour_bids.segmentation.checked_values import number, object_of, text, whole
from synthtumour_bids.segmentation.expected_dice import DiceLine
from synthtumour_bids.segmentation.reliability import Reliability
from synthtumour_bids.segmentation.temperature import HIGHEST

LONGEST_ORIGIN = 200
MOST_CASES = 10_000
UNKNOWN = "the network was calibrated on no case"


@dataclass(frozen=True)
class Calibration:
    """Of one network, on tumours that were drawn or mixed into brains, and so are known.

    Attributes
    ----------
    temperature
        What the logits of the maps that are written are divided by.
    cases
        How many it was fitted on.
    before, after
        How reliable the maps of these cases are without and with the temperature.
    origin
        Kinds of these cases, in words. No truth of real scans is read.
    expected_dice
        What is to be expected of a mask; ``None`` where there were too few cases.
    """

    temperature: float
    cases: int
    before: Reliability
    after: Reliability
    origin: str
    expected_dice: DiceLine | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what ``model.json`` tells."""
        line = self.expected_dice
        return {
            "Origin": self.origin,
            "Temperature": self.temperature,
            "Cases": self.cases,
            "Reliability": {"Before": self.before.to_json(), "After": self.after.to_json()},
            **({"ExpectedDice": line.to_json()} if line else {}),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Calibration:
        """Read what :meth:`to_json` gave.

        Raises
        ------
        ValueError
            Naming what is missing, of another type or out of its bounds.
        """
        reliability = object_of(content, "Reliability")
        line = content.get("ExpectedDice")
        return cls(
            number(content.get("Temperature"), "Temperature", 1 / HIGHEST, HIGHEST),
            whole(content.get("Cases"), "Cases", 1, MOST_CASES),
            Reliability.from_json(object_of(reliability, "Before")),
            Reliability.from_json(object_of(reliability, "After")),
            text(content.get("Origin"), "Origin", LONGEST_ORIGIN),
            None if line is None else DiceLine.from_json(object_of(content, "ExpectedDice")),
        )
