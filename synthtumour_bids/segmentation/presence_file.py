"""Where the calibration of the verdict lies: beside the networks, or in the card of a bundle."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.files import write_json
from synthtumour_bids.safe_files import read_json
from synthtumour_bids.segmentation.checked_values import text
from synthtumour_bids.segmentation.model_card import CARD, ModelCard
from synthtumour_bids.segmentation.presence import LONGEST_NAME, Controls

LOGGER = logging.getLogger(__name__)
PRESENCE = "presence.json"  # in a models folder
IN_CARD = "Presence"  # in the card of a bundle


def write_controls(models: Path, card: ModelCard, calibration: Controls) -> Path:
    """Write the calibration of a network beside it; return where it lies."""
    path = models / PRESENCE
    write_json(path, {"Network": card.fingerprint, **calibration.to_json()})
    return path


def read_controls(models: Path, card: ModelCard) -> Controls | None:
    """Read the calibration of a network.

    Parameters
    ----------
    models
        Folder of the networks, or a bundle.
    card
        Of the network whose masks are the result.

    Returns
    -------
    ``None`` where there is none: the network is of an earlier version, or too few persons were
    free for one.

    Raises
    ------
    UnavailableError
        When it cannot be used.
    """
    if IN_CARD in card.details:
        return shipped_controls(models, card)
    if not (models / PRESENCE).is_file():
        return None
    try:
        content = read_json(models, PRESENCE)
        network = text(content.get("Network"), "Network", LONGEST_NAME)
        calibration = Controls.from_json(content)
    except ValueError as error:
        raise UnavailableError(_unusable(models, PRESENCE, error)) from error
    if network != card.fingerprint:
        LOGGER.info("%s is of another network and not used.", models / PRESENCE)
        return None
    return calibration


def shipped_controls(folder: Path, card: ModelCard) -> Controls | None:
    """Read the calibration that a starter brings; ``None`` where a network brings none.

    Raises
    ------
    UnavailableError
        When it cannot be used.
    """
    try:
        return controls_of(card)
    except ValueError as error:
        raise UnavailableError(_unusable(folder, CARD, error)) from error


def controls_of(card: ModelCard) -> Controls | None:
    """Read the calibration in a bundle's card; ``None`` where it has none.

    Raises
    ------
    ValueError
        In one clause: it cannot be used.
    """
    content: Any = card.details.get(IN_CARD)
    if content is None:
        return None
    if not isinstance(content, dict):
        raise ValueError(f"{IN_CARD} is no object")
    return Controls.from_json(content)


def _unusable(folder: Path, file: str, error: ValueError) -> str:
    return (
        f"What tumour-free scans look like to the network in {folder} cannot be used ({file}: "
        f"{error}). Copy it again from where it came, or remove it: without it no scan gets a "
        "p-value."
    )
