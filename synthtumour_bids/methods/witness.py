"""Which network tells whether a scan has a tumour, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from synthtumour_bids.segmentation.bundle import is_measured
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.segmentation.presence import PEOPLE, Controls
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
        Whether it is known what it does on real scans. Then masks hold nothing that it speaks
        against.
    """

    network: str
    controls: Controls | None = None
    beside: bool = False
    measured: bool = False


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
    people = own is not None and own.source == PEOPLE
    return Witness(main, own, measured=people or is_measured(cards[main]))


def witness_beside(models: Path, cards: Mapping[str, ModelCard]) -> Witness | None:
    """Find a network beside the main one that brings its calibration; see `find_witness`.

    On a coarser grid than its own, where its likenesses are others, it is none.
    """
    *others, main = cards
    for name in others:
        card = cards[name]
        shipped = shipped_controls(models / name, card)
        if shipped is not None and card.resolution >= cards[main].resolution:
            return Witness(name, shipped, beside=True, measured=is_measured(card))
    return None
