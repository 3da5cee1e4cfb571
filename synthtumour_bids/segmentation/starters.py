"""The starters, networks trained beforehand: which there are, and which fits a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from synthtumour_bids.bids.folders import is_folder
from synthtumour_bids.errors import UnavailableError, advice
from synthtumour_bids.segmentation.bundle import About, read_files
from synthtumour_bids.segmentation.model_card import Model, ModelCard, is_bundle
from synthtumour_bids.segmentation.starter_labels import Label
from synthtumour_bids.settings import STARTER

SHIPPED = Path(__file__).parents[1] / "starters"
VARIABLE = "SYNTHTUMOUR_STARTERS"  # names a further folder, whose starters go before those shipped


@dataclass(frozen=True)
class Starter:
    """A bundle to segment with.

    Attributes
    ----------
    folder
        Of the bundle.
    card
        Of the network.
    about
        What its users should know.
    """

    folder: Path
    card: ModelCard
    about: About

    @property
    def model(self) -> Model:
        """The network; `trained_network.read_network` of its folder gives the weights."""
        return Model(STARTER, self.folder)

    @property
    def words(self) -> str:
        """Say what it is for."""
        known = "" if self.about.measured else ", not measured on real scans"
        return f"{self.folder.name} ({self.card.contrast}, {self.card.lesion}{known})"

    def fits(self, contrast: str, lesion: str) -> bool:
        """Whether it is for a contrast and a lesion, and needs no further contrast."""
        wanted = contrast, lesion, ()
        return (self.card.contrast, self.card.lesion, self.card.more_contrasts) == wanted


def read_starter(folder: Path) -> Starter:
    """Read a bundle.

    Raises
    ------
    UnavailableError
        When it cannot be used.
    """
    files = read_files(folder)
    return Starter(folder, files.card, files.about)


def bundles() -> list[Path]:
    """Find the folders of all starters: those of the folder that `VARIABLE` names go first.

    Newer versions come before others. Cards are read, as far as they can be; see `read_starter`.

    Raises
    ------
    UnavailableError
        When that variable leads nowhere.
    """
    found: list[Path] = []
    for place in _places():
        found += sorted(_inside(place), key=lambda one: Label.of(one).order, reverse=True)
    return found


def starter_for(contrast: str, lesion: str) -> Starter | None:
    """Find the newest starter for a contrast and a lesion; ``None`` where there is none.

    Those for something else are not looked at any further than their cards, or, where these cannot
    be read, their names.

    Raises
    ------
    UnavailableError
        When it cannot be used, or the variable leads nowhere.
    """
    fitting = (one for one in bundles() if Label.of(one).is_for(contrast, lesion))
    folder = next(fitting, None)
    if folder is None:
        return None
    if folder.parent == SHIPPED:
        return read_starter(folder)
    with advice(f"It lies in the folder that the variable {VARIABLE} names."):
        return read_starter(folder)


def way_out(contrast: str, lesion: str) -> str:
    """Say in refusals that a starter could segment; empty where none can be used."""
    with suppress(UnavailableError):
        if starter_for(contrast, lesion) is not None:
            return " Or train nothing: level participant, --model starter."
    return ""


def find_starter(
    contrast: str,
    lesion: str,
    *,
    flag: str = "--model starter",
    otherwise: str = "leave --model out to train on your own scans",
) -> Starter:
    """Find the newest starter for a contrast and a lesion, which was asked for.

    Parameters
    ----------
    contrast, lesion
        What it must be for.
    flag, otherwise
        What asked for it, and what its user can do without one; for the sentence.

    Raises
    ------
    UnavailableError
        When there is none, with those there are; or when one cannot be used.
    """
    found = starter_for(contrast, lesion)
    if found is not None:
        return found
    places = " and ".join(map(str, _places()))
    there = ", ".join(map(_words, bundles())) or "none at all"
    msg = (
        f"{flag}: looked in {places} for a starter for {lesion} in {contrast} images; "
        f"found {there}. Choose --contrast and --lesion of one that is there, name a folder with "
        f"another in the variable {VARIABLE}, or {otherwise}."
    )
    raise UnavailableError(msg)


def _words(folder: Path) -> str:
    try:
        return read_starter(folder).words
    except UnavailableError:
        return f"{folder.name} (cannot be used)"


def _places() -> Iterator[Path]:
    if further := os.environ.get(VARIABLE):
        place = Path(further).absolute()
        if not _inside(place):
            raise UnavailableError(_nowhere(place))
        yield place
    yield SHIPPED


def _inside(place: Path) -> list[Path]:
    try:
        return [path for path in sorted(place.glob("starter-*")) if not path.is_file()]
    except OSError:  # the folder may not be read
        return []


def _nowhere(place: Path) -> str:
    advice = "Correct the variable, or unset it to take the starters of the package."
    if is_bundle(place):
        advice = f"It is a starter itself: name the folder that it lies in, {place.parent}."
    found = "found none" if is_folder(place) else "there is no such folder"
    return f"{VARIABLE}: looked in {place} for folders starter-*, {found}. {advice}"
