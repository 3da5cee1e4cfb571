"""Whether there is a tumour at all, judged by scans of people who have none.

The p-value is that of conformal prediction: as long as a new tumour-free person is like those of
the calibration, it is .05 or less in at most 5 % of such persons, whatever the network
(Vovk V, et al. Algorithmic learning in a random world. Springer, 2005).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from synthtumour_bids.files import fingerprint
from synthtumour_bids.segmentation.checked_values import number, object_of, text

FEWEST_PERSONS = 19  # with fewer no p can reach YES
MOST_PERSONS = 10_000
YES = 0.05  # p up to this: there is a tumour
NO = 0.2  # p above this: there is none
USUAL = 0.5  # p above this: of what the masks of most people without one hold, nothing is kept
PEOPLE = "tumour-free scans"  # what a calibration by them is said to be by
MOST_LIKENESS = 1e6  # mL · SD; no brain has more
UNSURE, UNLIKELY = "tumour_unsure", "tumour_unlikely"  # flags
LONGEST_NAME = 300
DIGITS = 4  # of a likeness that is stored, so that equal ones are equal


class Presence(StrEnum):
    """Whether there is a tumour."""

    YES = "yes"
    NO = "no"
    UNSURE = "unsure"


@dataclass(frozen=True)
class Controls:
    """How much like a tumour the masks of people are who have none.

    Attributes
    ----------
    source
        What was segmented, in words: `PEOPLE`, or ``simulated heads``.
    likeness
        By person, mL · SD; of several scans of one, the largest. Nobody of them taught, hosted or
        selected a network.
    """

    source: str
    likeness: Mapping[str, float]

    def __post_init__(self) -> None:
        """Hold what p relies on."""
        if len(self.likeness) < FEWEST_PERSONS:
            raise ValueError(
                f"a calibration has {len(self.likeness)} persons, fewer than {FEWEST_PERSONS}"
            )

    @property
    def fingerprint(self) -> str:
        """Hash of it."""
        return fingerprint(**self.to_json())

    def p_value(self, likeness: float, person: str | None) -> tuple[float, int]:
        """Tell how rarely a tumour-free person looks at least as much like a tumour.

        Parameters
        ----------
        likeness
            Of the scan, mL · SD.
        person
            Whose scan it is, who is not compared with him- or herself; ``None``: none of these.

        Returns
        -------
        p : float
            In (0, 1].
        n : int
            Persons it was compared with.
        """
        others = [value for name, value in self.likeness.items() if name != person]
        alike = sum(round(value, DIGITS) >= round(likeness, DIGITS) for value in others)
        return (1 + alike) / (len(others) + 1), len(others)

    def to_json(self) -> dict[str, Any]:
        """Return what is stored."""
        return {
            "Source": self.source,
            "Likeness": {name: round(one, DIGITS) for name, one in sorted(self.likeness.items())},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Controls:
        """Read what :meth:`to_json` gave.

        Raises
        ------
        ValueError
            In one clause that names what is missing or out of bounds.
        """
        likeness = object_of(content, "Likeness")
        if len(likeness) > MOST_PERSONS:
            raise ValueError(f"Likeness has more than {MOST_PERSONS} persons")
        return cls(
            text(content.get("Source"), "Source", LONGEST_NAME),
            {
                text(name, "a person", LONGEST_NAME): number(one, "Likeness", 0, MOST_LIKENESS)
                for name, one in likeness.items()
            },
        )


@dataclass(frozen=True)
class PresenceVerdict:
    """Whether a scan has a tumour.

    Attributes
    ----------
    present
        The verdict.
    p
        In (0, 1]; ``None`` without a calibration.
    n
        Tumour-free persons it rests on; 0 without a calibration.
    source
        What these are; empty without a calibration.
    flags
        What a person should look at: a mask of which p does not say that it is a tumour.
    """

    present: Presence
    p: float | None = None
    n: int = 0
    source: str = ""
    flags: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what sidecars tell of it."""
        return {
            "TumourPresent": self.present.value,
            "PresenceP": "n/a" if self.p is None else self.p,
            "PresenceCalibration": {"Source": self.source, "Persons": self.n} if self.n else {},
        }


def judge(
    volume_ml: float, likeness: float, calibration: Controls | None, person: str | None
) -> PresenceVerdict:
    """Judge whether a scan has a tumour.

    Parameters
    ----------
    volume_ml
        Of the mask that is the result, mL.
    likeness
        Of what the witness found in the scan, mL · SD.
    calibration
        Of the network that is the witness; ``None`` where too few persons were free for one.
    person
        Whose scan it is; see :meth:`Controls.p_value`. Who is one of `FEWEST_PERSONS` is judged by
        the others, and never `Presence.YES`.
    """
    if calibration is None:
        return PresenceVerdict(without_calibration(volume_ml))
    p, n = calibration.p_value(likeness, person)
    known = round(p, DIGITS), n, calibration.source
    if not volume_ml:  # of what the witness may have found
        return PresenceVerdict(Presence.NO, *known, (UNSURE,) if p <= NO else ())
    if p > NO:
        return PresenceVerdict(Presence.NO, *known, (UNLIKELY,))
    if p > YES:
        return PresenceVerdict(Presence.UNSURE, *known, (UNSURE,))
    return PresenceVerdict(Presence.YES, *known)


def without_calibration(volume_ml: float) -> Presence:
    """Judge by the mask alone: that nothing is left of it is all that can be said."""
    return Presence.UNSURE if volume_ml else Presence.NO
