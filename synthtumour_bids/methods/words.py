"""Phrases of the methods text that all methods share."""

from __future__ import annotations

from synthtumour_bids.layout import Network
from synthtumour_bids.methods.base import RunFacts
from synthtumour_bids.profiles import Training
from synthtumour_bids.segmentation.bundle import is_measured
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.settings import STARTER


def trained(training: Training) -> str:
    """How a network was trained."""
    return (
        f"was trained for at most {training.epochs} epochs of {training.iterations_per_epoch} "
        f"iterations ({training.optimiser}, learning rate {training.learning_rate:g}, stopped "
        f"after {training.patience} epochs without improvement)"
    )


def best_epoch(facts: RunFacts, network: Network) -> str:
    """Which epoch was kept, in brackets; nothing where that is unknown."""
    card = facts.cards.get(network)
    return "" if card is None or not card.best_epoch else f" (epoch {card.best_epoch})"


def unmeasured(card: ModelCard) -> str:
    """Say that a starter was never tried on real scans; nothing where it was, or is none."""
    if card.name != STARTER or is_measured(card):
        return ""
    return " It was tried on simulated heads alone, and not measured on real scans."


def pseudo_label_count(facts: RunFacts) -> str:
    """How many pseudo-labels were learned from, in brackets; nothing where that is unknown."""
    if facts.n_pseudo_labels is None:
        return ""
    relaxed = (
        f"; {facts.n_relaxed} of them did not pass all of its rules, but were the best of the rest"
        if facts.n_relaxed
        else ""
    )
    return f" ({facts.n_pseudo_labels} scans{relaxed})"
