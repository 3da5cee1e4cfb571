"""Networks of earlier runs: ``--model`` to segment with, ``--teacher`` for pseudo-labels."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import cast

from synthtumour_bids.errors import UnavailableError, UsageError
from synthtumour_bids.layout import Network
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.segmentation.model_card import CARD, NEEDED, ModelCard
from synthtumour_bids.settings import FurtherContrast, Lesion, Settings


def with_networks(settings: Settings) -> Settings:
    """Find the networks that settings name; take from a given model what it works at.

    With ``--model`` nothing is learned, so annotated scans are scans to segment like others, and
    profile, contrasts and lesion are those that the model was trained with.

    Raises
    ------
    UnavailableError
        When a folder does not hold the networks.
    UsageError
        When the model was trained on another contrast than ``--contrast`` names.
    """
    if settings.model is not None:
        return _with_model(settings, settings.model)
    if settings.teacher is not None:
        return dataclasses.replace(settings, teacher=_models_folder("--teacher", settings.teacher))
    return settings


def _with_model(settings: Settings, given: Path) -> Settings:
    folder = _models_folder("--model", given)
    _check_complete(folder)
    card = ModelCard.read(folder / Network.SENIOR)
    if card.contrast != settings.contrast:
        msg = (
            f"--model {given} was trained on {card.contrast} images; "
            f"--contrast asks for {settings.contrast}."
        )
        raise UsageError(msg)
    profile = PROFILES.get(card.profile, settings.profile)
    return dataclasses.replace(
        settings,
        model=folder,
        profile=dataclasses.replace(profile, resolution=card.resolution),
        lesion=cast(Lesion, card.lesion),
        more_contrasts=cast("tuple[FurtherContrast, ...]", card.more_contrasts),
        annotated_dir=None,
    )


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
        for file in NEEDED
        if not (folder / network / file).is_file()
    ]
    if missing:
        msg = (
            f"--model {folder}: looked for a trained junior and a trained senior; missing: "
            f"{', '.join(missing)}. Name the output folder of a run that has finished training, "
            "or its models folder."
        )
        raise UnavailableError(msg)
