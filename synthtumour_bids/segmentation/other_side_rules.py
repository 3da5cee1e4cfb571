"""When a part of a mask is too much like the other side of the brain, and the verdict on it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class OtherSide:
    """When a part of a mask goes.

    Brightness is in robust standard deviations (SD) of the brain, from its median.

    Attributes
    ----------
    sign
        1 for lesions that are bright, -1 for such that are dark; then brightness is darkness.
    smoothing_mm
        Standard deviation of the Gaussian that brightness is smoothed with, mm: gyri do not mirror
        each other more closely.
    least_difference
        A part that is on average this much brighter than what mirrors it stays, SD.
    smallest_ml
        Smaller parts stay, mL: of a ball with the smoothing's radius (0.27 mL) the smoothing
        leaves a quarter of the brightness, so that nothing is known of it.
    least_comparable
        A part stays of which a smaller share has its mirrored place in the brain: too little to
        judge it by.
    least_remaining
        Share of a part across the midline whose mirrored place must lie outside the part, for the
        part to be compared by these places alone. Of less than a third mostly the border remains,
        where smoothing makes both sides alike.
    compact
        Parts at least so compact may stay where the other side is like them. Compactness is the
        radius of the largest ball that fits in, over that of the ball of the same volume; of a
        part across the midline half the volume counts, as of one wing of a butterfly. It is 1
        for a ball, .63 for an ellipsoid with axes 2:2:1, and .43 for one of 5:2.5:1, which is
        what bands along the ventricles look like.
    bright_across
        Brightness from which a compact part across the midline stays whose two sides are alike,
        SD. As no side of it is normal, it is compared with the brain's median. What is compact,
        bright and alike in normal brains is the cerebellum with the brainstem: where it is
        brighter than 1 SD, it has 1.4 SD on average at most in 25 FLAIR scans without a tumour.
    bright_pair
        Brightness from which a compact part on one side stays although the other side is like it,
        SD: a second lesion may mirror a first. Hyperintensities are 2 to 4 SD bright themselves,
        but thin, so that less is left of that after smoothing.
    """

    sign: int = 1
    smoothing_mm: float = 4.0
    least_difference: float = 0.5
    smallest_ml: float = 0.3
    least_comparable: float = 0.25
    least_remaining: float = 1 / 3
    compact: float = 0.55
    bright_across: float = 2.0
    bright_pair: float = 2.5


class Reason(StrEnum):
    """Why a part stays or goes."""

    BRIGHTER = "brighter than the other side"
    TOO_SMALL = "too small to be compared"
    NOTHING_TO_COMPARE = "too little of the other side lies in the brain"
    BRIGHTER_REMAINDER = "across the midline, brighter where the other side is not part of it"
    BRIGHT_ACROSS = "across the midline, alike on both sides, compact and brighter than the brain"
    BRIGHT_PAIR = "like the other side, but compact and much brighter than the brain"
    BRIGHTER_CORE = "like the other side, but large, and brighter where the network is sure"
    BRIGHT_CORE = "large, and where the network is sure alike on both sides, but a tumour by itself"
    CONFIRMED = "like the other side, but mostly what another network found and that is not"
    LIKE_OTHER_SIDE = "like the other side"
    UNCONFIRMED = "not found by the network that sees no tumour in this scan"
    USUAL = "most of those without a tumour look at least as much like one"
    USUAL_HERE = "no tumour seen in this scan, and mostly as bright as people without one are here"

    @property
    def keeps(self) -> bool:
        """Whether the part stays."""
        return self not in (
            Reason.LIKE_OTHER_SIDE,
            Reason.UNCONFIRMED,
            Reason.USUAL,
            Reason.USUAL_HERE,
        )


@dataclass(frozen=True)
class ComponentVerdict:
    """What is known of one part of a mask.

    Attributes
    ----------
    reason
        Why it stays or goes.
    volume_ml
        Its volume, mL.
    centre_mm
        Its centre of mass in the world of the grid (RAS), mm.
    difference
        Mean brightness over that of the other side, SD; ``None`` where it was not compared.
    brightness
        Mean over the brain's median, SD; likewise.
    compactness
        See :class:`OtherSide`; ``None`` where nothing depended on it.
    """

    reason: Reason
    volume_ml: float
    centre_mm: tuple[float, float, float]
    difference: float | None = None
    brightness: float | None = None
    compactness: float | None = None

    @property
    def kept(self) -> bool:
        """Whether the part stays."""
        return self.reason.keeps
