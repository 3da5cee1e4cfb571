"""Which network tells whether a scan has a tumour, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from synthtumour_bids.segmentation.bundle import NOT_MEASURED
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.segmentation.presence import Controls
from synthtumour_bids.segmentation.presence_file import read_controls, shipped_controls


@dataclass(frozen=True)
class Witness:
    """The network whose mask is judged, which need not be the one whose masks are the result.

    Attributes
    ----------
    network
        Its name.
    controls
        What scans without a tumour look like to it; ``None`` where that is not known.
    beside
        Whether it is another than the network whose masks are the result.
    measured
        Whether anything is known of what it does on real scans.
    """

    network: str
    controls: Controls | None = None
    beside: bool = False
    measured: bool = True


def find_witness(models: Path, cards: Mapping[str, ModelCard]) -> Witness:
    """Find the network that tells whether a scan has a tumour.

    The main network does, where it was calibrated. Else it is a starter beside it: that was
    calibrated once, by heads that it never saw, so that its word does not hang on how one training
    went.

    Parameters
    ----------
    models
        Folder of the networks.
    cards
        Of them, by name, the main one last.

    Raises
    ------
    UnavailableError
        When a calibration cannot be used.
    """
    main = list(cards)[-1]
    own = read_controls(models, cards[main])
    if own is None and (beside := witness_beside(models, cards)):
        return beside
    return Witness(main, own)


def witness_beside(models: Path, cards: Mapping[str, ModelCard]) -> Witness | None:
    """Find a network beside the main one that brings its calibration; see `find_witness`.

    On a coarser grid than its own, where its likenesses are others, it is none.
    """
    *others, main = cards
    for name in others:
        card = cards[name]
        shipped = shipped_controls(models / name, card)
        if shipped is not None and card.resolution >= cards[main].resolution:
            measured = NOT_MEASURED not in card.details.get("Limits", ())
            return Witness(name, shipped, beside=True, measured=measured)
    return None
