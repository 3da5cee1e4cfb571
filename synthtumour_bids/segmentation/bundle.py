"""A bundle: a folder that holds a trained network as data, to be handed on.

* ``weights.safetensors``: its parameters, in half precision;
* ``plans.json``: its architecture, and ``dataset.json``: its channels and labels, as nnU-Net has
  them;
* ``model.json``: its card (:class:`ModelCard`), with checksums of the other files (``Files``), the
  axes to mirror along (``MirrorAxes``), what :class:`About` tells, and where it was measured what
  tumour-free heads look like to the network (``Presence``).

Reading one executes nothing: see :mod:`synthtumour_bids.segmentation.trained_network`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.safe_files import parse_json, read_json
from synthtumour_bids.segmentation.card_details import check_details
from synthtumour_bids.segmentation.checked_values import text, texts, truth
from synthtumour_bids.segmentation.model_card import (
    CHECKED,
    NEEDED,
    WEIGHTS,
    ModelCard,
    bundle_refusal,
)
from synthtumour_bids.segmentation.network_plan import NetworkPlan, mirror_axes
from synthtumour_bids.segmentation.presence_file import controls_of
from synthtumour_bids.settings import STARTER

NOT_MEASURED = "Not measured on real scans: it was tried on simulated heads alone."
MEASURED = "MeasuredOnRealScans"  # in a card
MEASURED_BEFORE = "58dd43b70e8ac58f"  # fingerprint of a measured starter whose card did not say so
VERSION = r"\d{1,6}(\.\d{1,6}){0,3}"  # of a bundle
LONGEST_TEXT = 5000  # characters
LONGEST_REASON = 300  # of a library's that is quoted
ICBM_NOTICE = (
    "The ICBM 152 non-linear atlases (2009): Copyright (C) 1993-2009 Louis Collins, McConnell "
    "Brain Imaging Centre, Montreal Neurological Institute, McGill University. Permission to use, "
    "copy, modify, and distribute this software and its documentation for any purpose and without "
    "fee is hereby granted, provided that the above copyright notice appear in all copies. The "
    "authors and McGill University make no representations about the suitability of this software "
    'for any purpose. It is provided "as is" without express or implied warranty. The authors are '
    "not responsible for any data loss, equipment damage, property loss, or injury to subjects or "
    "patients resulting from the use or misuse of this software package."
)


@dataclass(frozen=True)
class Figure:
    """One measured figure: what it is, its value in words, and the command that gave it."""

    name: str
    value: str
    command: str


@dataclass(frozen=True)
class About:
    """What the users of a bundle should know.

    Attributes
    ----------
    version
        Of the bundle: numbers with points between them.
    data
        What the network was trained on, in sentences that stand in the methods text of a paper.
    notices
        Of those whose work the data are made from.
    figures
        What it was measured to do.
    limits
        What it cannot do, one sentence each.
    intended_use
        What it is for, and what it is not for.
    measured
        Whether it is known what it does on real scans; see `is_measured`.
    """

    version: str
    data: str
    notices: tuple[str, ...]
    figures: tuple[Figure, ...]
    limits: tuple[str, ...]
    intended_use: str
    measured: bool = False

    def __post_init__(self) -> None:
        """Hold what names and sorting rely on."""
        if not re.fullmatch(VERSION, self.version):
            raise ValueError(f"version {self.version!r} is not made of numbers")

    @property
    def order(self) -> tuple[int, ...]:
        """The version as numbers; newer ones are larger."""
        return tuple(map(int, self.version.split(".")))

    def to_details(self) -> dict[str, Any]:
        """Return what a model card tells besides."""
        return {
            "Version": self.version,
            "Data": self.data,
            "Notices": list(self.notices),
            "Figures": [
                {"Name": one.name, "Value": one.value, "Command": one.command}
                for one in self.figures
            ],
            "Limits": list(self.limits),
            "IntendedUse": self.intended_use,
            MEASURED: self.measured,
        }

    @classmethod
    def from_details(cls, details: Mapping[str, Any]) -> About:
        """Read what :meth:`to_details` gave.

        Raises
        ------
        ValueError
            Naming what is missing or no text.
        """
        figures = details.get("Figures")
        if not isinstance(figures, list) or not all(isinstance(one, dict) for one in figures):
            raise ValueError("Figures is no list of objects")
        return cls(
            version=text(details.get("Version"), "Version", 40),
            data=text(details.get("Data"), "Data", LONGEST_TEXT),
            notices=texts(details.get("Notices"), "Notices", LONGEST_TEXT),
            figures=tuple(
                Figure(
                    *(text(one.get(key), key, LONGEST_TEXT) for key in ("Name", "Value", "Command"))
                )
                for one in figures
            ),
            limits=texts(details.get("Limits"), "Limits", LONGEST_TEXT),
            intended_use=text(details.get("IntendedUse"), "IntendedUse", LONGEST_TEXT),
            measured=truth(details.get(MEASURED, False), MEASURED),
        )


def is_measured(card: ModelCard) -> bool:
    """Whether a network is a starter whose card says that it was measured on real scans.

    Where a card says nothing, nobody has. Of a network that was trained in a run, nobody knows
    before people without a tumour calibrate it.
    """
    said = card.details.get(MEASURED, card.fingerprint == MEASURED_BEFORE)
    return card.name == STARTER and said is True


@dataclass(frozen=True)
class BundleFiles:
    """What the files of a bundle say, all of it checked but the weights.

    Attributes
    ----------
    folder, card, about
        Where it lies, and what its card tells.
    plan, mirror_axes
        See `trained_network.TrainedNetwork`.
    weights
        The bytes of the weights' file, of which the checksum is right.
    """

    folder: Path
    card: ModelCard
    about: About
    plan: NetworkPlan
    mirror_axes: tuple[int, ...]
    weights: bytes

    def refusal(self, reason: str) -> UnavailableError:
        """Make the error that says why the bundle cannot be used."""
        return bundle_refusal(self.folder, reason)


def read_files(folder: Path) -> BundleFiles:
    """Read and check all of a bundle but the values of its weights; torch is not needed.

    Parameters
    ----------
    folder
        Of the bundle. Its files are read once, are bounded, and must be no links.

    Raises
    ------
    UnavailableError
        Saying what is wrong with it, in one sentence, and what to do.
    """
    card, content = ModelCard.read_bundle(folder)
    try:
        plan = NetworkPlan.from_nnunet(
            *(parse_json(content[name], name) for name in ("plans.json", "dataset.json"))
        )
        axes = mirror_axes(card.details.get("MirrorAxes"))
        about = replace(About.from_details(card.details), measured=is_measured(card))
        controls_of(card)
        _check_card(card, plan)
    except ValueError as error:
        raise bundle_refusal(folder, str(error)) from error
    return BundleFiles(folder, card, about, plan, axes, content[WEIGHTS])


def check_bundle(folder: Path) -> ModelCard:
    """Return the card of a bundle that can be used, as far as can be told without its weights.

    Raises
    ------
    UnavailableError
        See `read_files`.
    """
    return read_files(folder).card


def check_network(folder: Path) -> ModelCard:
    """Return the card of a network of a run that can be used, as far as its files of text tell.

    Parameters
    ----------
    folder
        Of the network, which somebody gave: none of its files may be a link that leads out of it.

    Raises
    ------
    UnavailableError
        Saying what is wrong with it, in one sentence, and what to do.
    """
    home = folder.resolve()
    for name in NEEDED:
        if not (folder / name).resolve().is_relative_to(home):
            reason = f"{name} is a link that leads out of the folder"
            raise network_refusal(folder, f"{reason}; copy what it leads to (cp -rL)")
    card = ModelCard.read(folder)
    try:
        _check_card(card, read_plan(folder))
    except (ValueError, OSError) as error:
        raise network_refusal(folder, str(error)) from error
    return card


def read_plan(folder: Path) -> NetworkPlan:
    """Read the plan of a network of a run.

    Raises
    ------
    FileNotFoundError
        When a file is not there.
    ValueError
        In one clause: a file cannot be read, or asks for what this app does not plan.
    """
    for name in CHECKED:
        (folder / name).stat()
    plans, description = (read_json(folder, n, follow=True) for n in ("plans.json", "dataset.json"))
    return NetworkPlan.from_nnunet(plans, description)


def network_refusal(folder: Path, reason: str) -> UnavailableError:
    """Make the error that says why a network of a run cannot be used, from a clause."""
    clause = reason.splitlines()[0][:LONGEST_REASON] if reason else "no reason is told"
    return UnavailableError(
        f"The network in {folder} cannot be used ({clause}). Train it again, copy it again from "
        "where it came, or name another (--model)."
    )


def _check_card(card: ModelCard, plan: NetworkPlan) -> None:
    if not all(math.isclose(one, card.resolution, rel_tol=1e-3) for one in plan.spacing):
        raise ValueError(f"card and plans differ in resolution ({card.resolution}, {plan.spacing})")
    if plan.contrasts != 1 + len(card.more_contrasts) or len(plan.labels) != len(card.classes):
        raise ValueError("card and plans differ in contrasts or classes")
    check_details(card.details)
