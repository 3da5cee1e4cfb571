"""Networks that are there: ``--model`` to segment with, ``--teacher`` for pseudo-labels."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Literal, cast

from synthtumour_bids.errors import UnavailableError, UsageError
from synthtumour_bids.layout import Network
from synthtumour_bids.methods.comparison import Comparison
from synthtumour_bids.methods.registry import method_of_card
from synthtumour_bids.methods.witness import find_witness
from synthtumour_bids.profiles import PROFILES, Profile
from synthtumour_bids.segmentation.bundle import check_bundle, check_network
from synthtumour_bids.segmentation.model_card import BUNDLED, CARD, NEEDED, ModelCard, is_bundle
from synthtumour_bids.segmentation.norm_file import find_norm
from synthtumour_bids.segmentation.starters import find_starter
from synthtumour_bids.settings import STARTER, FurtherContrast, Lesion, Settings

LOGGER = logging.getLogger(__name__)


def with_networks(settings: Settings) -> Settings:
    """Find the networks that settings name; take from a given model what it works at.

    ``model`` becomes the folder of a models folder, or of a bundle: one that was named, or the
    starter for contrast and lesion.

    With ``--model`` nothing is learned, so annotated scans are scans to segment like others, and
    profile, contrasts and lesion are those that the model was trained with.

    Raises
    ------
    UnavailableError
        When a folder does not hold the networks, or there is no starter.
    UsageError
        When the model was trained on another contrast than ``--contrast`` names, or ``--lesion``,
        ``--method`` or ``--preset`` ask for another one.
    """
    if settings.model is not None:
        return _with_model(settings, settings.model)
    if settings.teacher is not None:
        folder = _models_folder("--teacher", settings.teacher)
        _checked(folder / Network.SENIOR)
        return dataclasses.replace(settings, teacher=folder)
    return settings


def _with_model(settings: Settings, given: Path | Literal["starter"]) -> Settings:
    folder, card = _given(settings, given)
    if card.contrast != settings.contrast:
        msg = (
            f"--model {given} was trained on {card.contrast} images; "
            f"--contrast asks for {settings.contrast}."
        )
        raise UsageError(msg)
    _check_agreement(settings, given, card)
    profile = _of_resolution(card.resolution) or PROFILES.get(card.profile, settings.profile)
    return dataclasses.replace(
        settings,
        model=folder,
        profile=dataclasses.replace(profile, resolution=card.resolution),
        lesion=cast(Lesion, card.lesion),
        more_contrasts=cast("tuple[FurtherContrast, ...]", card.more_contrasts),
        annotated_dir=None,
    )


def _check_agreement(settings: Settings, given: Path | Literal["starter"], card: ModelCard) -> None:
    """Refuse flags that ask for another network than the given one; defaults ask for nothing."""
    for name in ("lesion", "method", "preset"):
        asked, trained = str(getattr(settings, name)), str(getattr(card, name))
        if asked not in (str(getattr(Settings, name)), trained):
            msg = (
                f"--model {given} was trained with {name} {trained}; --{name} asks for {asked}. "
                f"Leave --{name} out, or name another model."
            )
            raise UsageError(msg)


def _given(settings: Settings, given: Path | Literal["starter"]) -> tuple[Path, ModelCard]:
    """Folder of a starter, a bundle or the networks of a run, and the card of what segments."""
    if given == STARTER:
        starter = find_starter(settings.contrast, settings.lesion)
        return starter.folder, starter.card
    folder = Path(given)
    if is_bundle(folder):
        return folder, check_bundle(folder)
    folder = _models_folder("--model", folder)
    _check_complete(folder)
    card = _checked(*(folder / network for network in Network))
    find_witness(folder, {network: ModelCard.read(folder / network) for network in Network})
    norm = find_norm(folder, Comparison.of(settings, card.lesion).rules, card.fingerprint)
    if norm is not None:
        norm.load()
    return folder, card


def _checked(*folders: Path) -> ModelCard:
    """Card of the last of the networks that were given, all of which can be used.

    Raises
    ------
    UnavailableError
        When one cannot, or was trained by a method that this version does not know.
    """
    cards = [check_network(folder) for folder in folders]
    for card in cards:
        method_of_card(card)
    if not all(card.files for card in cards):
        LOGGER.warning(
            "The networks in %s have no checksums in %s, as those of version 0.1.0 have none: "
            "whether plans.json and dataset.json are as they were written cannot be told.",
            folders[0].parent,
            CARD,
        )
    return cards[-1]


def _of_resolution(resolution: float) -> Profile | None:
    """The profile of a grid: a starter was trained with settings of its own."""
    return next((one for one in PROFILES.values() if one.resolution == resolution), None)


def _models_folder(flag: str, given: Path) -> Path:
    """Models folder, found from there, from its senior or from its output folder."""
    folder = given
    if not (given / Network.SENIOR).is_dir():
        if (given / "models" / Network.SENIOR).is_dir():
            folder = given / "models"
        elif given.name == Network.SENIOR and (given / CARD).is_file():
            folder = given.parent
    if not (folder / Network.SENIOR / CARD).is_file():
        msg = (
            f"{flag} {given}: looked for {Network.SENIOR}/{CARD} there and in its folder models, "
            "found none. Name the output folder of an earlier run, or its models folder."
        )
        raise UnavailableError(msg)
    return folder


def _check_complete(folder: Path) -> None:
    """Refuse a models folder without what segmenting needs: the senior, and its junior beside it.

    Raises
    ------
    UnavailableError
        Naming the files that are missing.
    """
    missing = [
        f"{network}/{file}"
        for network in Network
        for file in ((CARD, *BUNDLED) if is_bundle(folder / network) else NEEDED)
        if not (folder / network / file).is_file()
    ]
    if missing:
        msg = (
            f"--model {folder}: looked for a trained junior and a trained senior; missing: "
            f"{', '.join(missing)}. Name the output folder of a run that has finished training, "
            "or its models folder."
        )
        raise UnavailableError(msg)
