"""Comparison of a network's mask with the other side of the brain, as a run asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthtumour_bids.errors import PriorsError
from synthtumour_bids.segmentation import uncertainty
from synthtumour_bids.segmentation.likeness import BY_ITSELF, tumour_likeness
from synthtumour_bids.segmentation.norm import Norm
from synthtumour_bids.segmentation.other_side import NEIGHBOURS, compare, dropped_territory
from synthtumour_bids.segmentation.other_side_rules import ComponentVerdict, OtherSide, Reason
from synthtumour_bids.settings import Settings
from synthtumour_bids.synthesis.priors import load_priors
from synthtumour_bids.synthesis.pseudo_labels import assess, final_criteria
from synthtumour_bids.volumes import Volume, load_volume

SURE = 0.9  # share of lesions from which their sign is known
# SD by which a part must differ from the other side. White and grey matter differ so much in T1w
# that a tumour is few of them away: of 20 drawn ones in simulated heads, 0.5 lost half.
LEAST_DIFFERENCE = {"T1w": 0.3}
# A part that reaches far beyond its tumour is like the other side on average. What is no tumour,
# such as a band of hyperintensities, had 57 mL at most in 25 tumour-free scans.
LARGE_ML = 100.0
CORE_SHARE = 0.5  # of the part, that its core must have for its word to count
BEYOND_SHARE = 0.5  # of a part, up to which it is as bright as people without a tumour are there
UPHELD_SHARE = 0.5  # of a part, that another network found, from which on it stays
KEPT = "--keep-mask was given"
NO_PRIORS = "nothing is known of how bright a {lesion} is in {contrast} images"
NO_SIGN = "a {lesion} may be brighter or darker than normal brain in {contrast} images"


@dataclass(frozen=True)
class Comparison:
    """Whether masks are compared with the other side, and how.

    Attributes
    ----------
    rules
        How; ``None``: not at all.
    skipped
        Why not; empty where they are compared.
    weighing
        How they are compared to tell how much like a tumour they are, also where none is dropped;
        ``None``: as above.
    """

    rules: OtherSide | None
    skipped: str = ""
    weighing: OtherSide | None = field(default=None, compare=False)

    @classmethod
    def of(cls, settings: Settings, lesion: str) -> Comparison:
        """As a run asks for it, where the priors tell whether its lesions are bright or dark.

        Parameters
        ----------
        settings
            Of the run.
        lesion
            What the network looks for.
        """
        found = cls.between(lesion, settings.contrast, settings.priors)
        return cls(None, KEPT, found.rules) if settings.keep_mask else found

    @classmethod
    def between(cls, lesion: str, contrast: str, priors: Path | None = None) -> Comparison:
        """As the priors allow.

        Parameters
        ----------
        lesion, contrast
            What the network looks for, and in what.
        priors
            File of the user's own.
        """
        words = {"lesion": lesion, "contrast": contrast}
        try:
            bright = load_priors(lesion, contrast, priors).hyper_probability
        except PriorsError:
            return cls(None, NO_PRIORS.format(**words))
        if 1 - SURE < bright < SURE:
            return cls(None, NO_SIGN.format(**words))
        rules = OtherSide(sign=1 if bright >= SURE else -1)
        least = LEAST_DIFFERENCE.get(contrast, rules.least_difference)
        return cls(replace(rules, least_difference=least))

    def to_json(self) -> dict[str, Any]:
        """Return what sidecars and fingerprints tell of it."""
        return {"Skipped": self.skipped} if self.rules is None else asdict(self.rules)


@dataclass(frozen=True, eq=False)
class Compared:
    """A probability map on the template grid, and what the comparison says of its mask.

    Attributes
    ----------
    probability
        The map as it was, (X, Y, Z), in [0, 1].
    territory_weighed
        Where it belongs to parts that the verdicts speak against, (X, Y, Z).
    weighed
        Verdicts on all parts of the mask; empty where it was not compared.
    mask
        Of all parts, (X, Y, Z).
    all_stay
        Whether no part is dropped, whatever the verdicts say: they tell the likeness alone then.
    likeness
        How much like a tumour the strongest part is, mL · SD.
    """

    probability: Volume
    territory_weighed: NDArray[np.bool_]
    weighed: tuple[ComponentVerdict, ...]
    mask: NDArray[np.bool_]
    all_stay: bool
    likeness: float = 0.0

    @property
    def territory(self) -> NDArray[np.bool_]:
        """Where the map belongs to parts that are dropped, (X, Y, Z)."""
        return self.territory_weighed & (not self.all_stay)

    @property
    def verdicts(self) -> tuple[ComponentVerdict, ...]:
        """Verdicts by which parts stay or go; empty where no part can go."""
        return () if self.all_stay else self.weighed

    @property
    def dropped(self) -> tuple[ComponentVerdict, ...]:
        """Verdicts on the parts that go."""
        return tuple(one for one in self.verdicts if not one.kept)

    @property
    def dropped_ml(self) -> float:
        """Volume of these, mL."""
        return sum(one.volume_ml for one in self.dropped)

    def without(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Give a map on this grid without the parts that go: to make masks of, not to write."""
        return np.where(self.territory, 0, values).astype(np.float32)

    def upheld_by(self, other: Compared) -> Compared:
        """Keep the parts like the other side that are mostly what is left of another mask.

        A part that reaches far beyond its tumour is like the other side on average. It counts in
        the likeness then.
        """
        if not self.weighed:
            return self
        labels, count = ndimage.label(self.mask, NEIGHBOURS)
        left = (other.mask & ~other.territory_weighed).astype(np.float32)
        shares = ndimage.mean(left, labels, range(1, count + 1))
        verdicts = [
            replace(one, reason=Reason.CONFIRMED)
            if one.reason is Reason.LIKE_OTHER_SIDE and share >= UPHELD_SHARE
            else one
            for one, share in zip(self.weighed, shares, strict=True)
        ]
        grid = self.probability
        likeness = tumour_likeness(grid.data, self.mask, verdicts, grid.spacing)
        return replace(self._judged(verdicts), likeness=likeness)

    def confirmed_by(self, other: Compared) -> Compared:
        """Drop the parts that have no voxel in common with what is left of another mask.

        Nothing is dropped where masks are not compared.
        """
        if not self.verdicts:
            return self
        labels, count = ndimage.label(self.mask, NEIGHBOURS)
        found = ndimage.maximum(other.mask & ~other.territory, labels, range(1, count + 1))
        verdicts = [
            one if seen or not one.kept else replace(one, reason=Reason.UNCONFIRMED)
            for one, seen in zip(self.verdicts, found, strict=True)
        ]
        return self._judged(verdicts)

    def beyond(self, norm: Norm, brightness: NDArray[np.floating]) -> Compared:
        """Drop the parts most of which is no brighter than people without a tumour are there.

        Nothing is dropped that is too small to be compared, or where masks are not compared.

        Parameters
        ----------
        norm
            Of these people.
        brightness
            Of the scan, (X, Y, Z), as :func:`.other_side.brightness_of` gives it.
        """
        if not self.verdicts:
            return self
        labels, _ = ndimage.label(self.mask, NEIGHBOURS)
        verdicts = list(self.verdicts)
        for index, one in enumerate(verdicts):
            if not one.kept or one.reason is Reason.TOO_SMALL:
                continue
            part = labels == index + 1
            if norm.share_beyond(brightness, part, self.probability.affine) <= BEYOND_SHARE:
                verdicts[index] = replace(one, reason=Reason.USUAL_HERE)
        return self._judged(verdicts)

    def emptied(self) -> Compared:
        """Drop all that is left, as most people without a tumour have the like.

        Nothing is dropped where masks are not compared.
        """
        if not self.verdicts:
            return self
        return self._judged(
            [replace(one, reason=Reason.USUAL) if one.kept else one for one in self.verdicts]
        )

    def _judged(self, verdicts: Sequence[ComponentVerdict]) -> Compared:
        """Give the same with other verdicts on its parts."""
        territory = dropped_territory(self.mask, verdicts, self.probability.spacing)
        return replace(self, territory_weighed=territory, weighed=tuple(verdicts))


def compared(
    probability: Volume, image: Path, brain: NDArray[np.bool_], lesion: str, comparison: Comparison
) -> Compared:
    """Compare the mask that a probability map makes with the other side of the brain.

    Specks and cavities are no matter: the mask is cleaned first, as final masks are.

    Parameters
    ----------
    probability
        On the template grid.
    image
        Skull-stripped image on the same grid.
    brain
        Brain mask there, (X, Y, Z).
    lesion
        What the network looks for.
    comparison
        How.
    """
    cleaned = assess(
        probability.data, brain, probability.spacing, criteria=final_criteria(lesion)
    ).mask
    rules, all_stay = comparison.rules or comparison.weighing, comparison.rules is None
    if not cleaned.any():  # what are specks here are none on any grid
        return Compared(probability, ~cleaned, (), cleaned, all_stay)
    verdicts: list[ComponentVerdict] = []
    territory = np.zeros(brain.shape, bool)
    if rules is not None:
        values = load_volume(image).data
        verdicts = compare(values, brain, cleaned, probability.affine, rules)
        verdicts = _by_their_cores(verdicts, cleaned, probability, values, brain, rules)
        territory = dropped_territory(cleaned, verdicts, probability.spacing)
    likeness = tumour_likeness(probability.data, cleaned, verdicts, probability.spacing)
    return Compared(probability, territory, tuple(verdicts), cleaned, all_stay, likeness)


def _by_their_cores(
    verdicts: Sequence[ComponentVerdict],
    mask: NDArray[np.bool_],
    probability: Volume,
    values: NDArray[np.floating],
    brain: NDArray[np.bool_],
    rules: OtherSide,
) -> list[ComponentVerdict]:
    """Keep a large part most of which is sure, where that core would stay by itself.

    What the core differs by is what is known of the part then.
    """
    labels, _ = ndimage.label(mask, NEIGHBOURS)
    found = list(verdicts)
    for index, one in enumerate(verdicts):
        if one.reason is not Reason.LIKE_OTHER_SIDE or one.volume_ml < LARGE_ML:
            continue
        core = (labels == index + 1) & (probability.data >= uncertainty.SURE)
        cores = compare(values, brain, core, probability.affine, rules) if core.any() else []
        largest = max(cores, key=lambda part: part.volume_ml, default=one)
        if largest.kept and largest.volume_ml >= CORE_SHARE * one.volume_ml:
            found[index] = replace(
                one,
                reason=Reason.BRIGHT_CORE if largest.reason in BY_ITSELF else Reason.BRIGHTER_CORE,
                difference=largest.difference,
                brightness=largest.brightness,
            )
    return found


def described(verdict: ComponentVerdict) -> dict[str, Any]:
    """Describe a part for a sidecar."""

    def rounded(value: float | None) -> float | None:
        return None if value is None else round(value, 3)

    return {
        "VolumeML": rounded(verdict.volume_ml),
        "CentreMM": [round(value, 1) for value in verdict.centre_mm],
        "MeanDifference": rounded(verdict.difference),
        "MeanBrightness": rounded(verdict.brightness),
        "Compactness": rounded(verdict.compactness),
        "Reason": verdict.reason.value,
    }
