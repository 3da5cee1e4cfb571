"""The methods there are, by the names that settings and model cards have for them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.job import Job
from synthtumour_bids.methods.base import Method
from synthtumour_bids.methods.fabrication.method import Fabrication
from synthtumour_bids.methods.label_free.method import LabelFree
from synthtumour_bids.methods.label_free.recipes import RECIPES
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.segmentation.starters import read_starter
from synthtumour_bids.synthesis.borders import Evidence


def method_of_run(job: Job) -> Method:
    """The method that a run asks for, or that its given networks were trained by."""
    if job.settings.model is not None:
        return method_of_card(job.main_network.card)
    method = method_for(job.settings.method, job.settings.preset)
    junior = job.settings.junior
    if isinstance(method, LabelFree) and isinstance(junior, Path):
        return dataclasses.replace(method, starter=read_starter(junior))
    return method


def method_of_card(card: ModelCard) -> Method:
    """The method that a network was trained by.

    Raises
    ------
    UnavailableError
        When this version has no such method.
    """
    try:
        return method_for(card.method, card.preset)
    except KeyError as error:
        msg = (
            f"The {card.name} was trained by a method that this version does not know: "
            f"{card.method}, preset {card.preset}. Use the version that trained it "
            f"({card.versions.get('synthtumour_bids', 'not recorded')})."
        )
        raise UnavailableError(msg) from error


def border_evidence(card: ModelCard) -> Evidence | None:
    """How the scan refines the borders that a network draws; ``None``: not at all."""
    return method_of_card(card).border_evidence(card)


def method_for(name: str, preset: str) -> Method:
    """The method of a name, in one of its variants.

    Raises
    ------
    KeyError
        When there is none.
    """
    methods: dict[str, Method] = {
        "synthtumour": LabelFree(RECIPES[preset]),
        "fabrication": Fabrication(border_evidence),
    }
    return methods[name]
