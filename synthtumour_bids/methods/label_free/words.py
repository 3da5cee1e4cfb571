"""SynthTumour in the methods text."""

from __future__ import annotations

from synthtumour_bids.layout import Network
from synthtumour_bids.methods import rounds
from synthtumour_bids.methods.base import Cite, RunFacts
from synthtumour_bids.methods.corrections import TIMES, with_annotation
from synthtumour_bids.methods.label_free import simulated_hosts
from synthtumour_bids.methods.label_free.recipes import Recipe
from synthtumour_bids.methods.words import best_epoch, pseudo_label_count, trained, unmeasured
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.segmentation.starters import Starter
from synthtumour_bids.settings import STARTER, Role


def summary(facts: RunFacts, cite: Cite) -> str:
    """Say what it is, in half a sentence."""
    return (
        f"trains {with_annotation(facts.n_corrected)}, following the two-stage image synthesis of "
        f"SynthTumour {cite('synthtumour')}"
    )


def paragraphs(
    facts: RunFacts, recipe: Recipe, cite: Cite, starter: Starter | None = None
) -> tuple[str, ...]:
    """Tell of both stages, and of further rounds where there are any.

    What the networks' own cards say goes before what is yet to be done.

    Parameters
    ----------
    facts, recipe, cite
        Of the run.
    starter
        That is to be the junior, where one is.
    """
    card = facts.cards.get(Network.JUNIOR)
    if card is None and Network.SENIOR not in facts.cards:
        card = starter.card if starter else None
    taken = card if card is not None and card.name == STARTER else None
    heads = _heads(facts, taken is not None, cite)
    senior = facts.cards.get(Network.SENIOR)
    n_rounds = rounds.of_card(senior) if senior else facts.settings.rounds or 1
    return (
        _stage_one(facts, recipe, cite, taken, heads),
        _stage_two(facts, recipe, taken, heads, n_rounds),
        *((_further_rounds(facts, n_rounds),) if n_rounds > 1 else ()),
    )


def _heads(facts: RunFacts, beside_starter: bool, cite: Cite) -> str:
    """Say that simulated heads were hosts; empty where they were not."""
    senior, settings = facts.cards.get(Network.SENIOR), facts.settings
    if senior is not None:
        told = senior.details.get("SimulatedHosts")
        n = int(told["Count"]) if told else 0
    else:
        few = facts.counts.get(Role.TUMOURFREE, 0) < simulated_hosts.FEWEST_PERSONS
        used = simulated_hosts.possible(settings) and (beside_starter or few)
        n = simulated_hosts.count(settings.profile) if used else 0
    if not n:
        return ""
    return f"{n} simulated heads, made of the tissue maps of the template {cite('icbm')}"


def _stage_one(
    facts: RunFacts, recipe: Recipe, cite: Cite, starter: ModelCard | None, heads: str
) -> str:
    profile = facts.settings.profile
    given = " given by the user" if facts.settings.priors is not None else ""
    brains = f"tumour-free brains, among them {heads}" if heads else "tumour-free brains"
    if heads and not facts.counts.get(Role.TUMOURFREE, 0):
        brains = heads
    drawn = (
        f"**Stage 1.** Synthetic tumours {recipe.words}{given} were drawn into {brains}: "
        f"{profile.n_train} training samples and, in brains of other persons and with another "
        f"intensity model (distribution shift), {profile.n_shifted} validation samples. "
    )
    if starter is not None:
        return (
            f"{drawn}The junior network was not trained in this study: it is the starter of "
            f"synthtumour_bids, a network of nnU-Net{facts.version('nnunetv2')} {cite('nnunet')} "
            f"(version {starter.details.get('Version', 'not recorded')}, weights "
            f"{starter.fingerprint}, at {starter.resolution:g} mm). "
            f"{starter.details.get('Data', '')}{unmeasured(starter)}"
        )
    return (
        f"{drawn}A junior network, nnU-Net{facts.version('nnunetv2')} "
        f"{cite('nnunet')}, {trained(profile.junior)} and the checkpoint with the "
        "best Dice on the shifted validation samples was kept"
        f"{best_epoch(facts, Network.JUNIOR)}."
    )


def _stage_two(
    facts: RunFacts, recipe: Recipe, starter: ModelCard | None, heads: str, n_rounds: int
) -> str:
    settings = facts.settings
    profile = settings.profile
    start = "started from the junior's weights, " if profile.senior.from_junior else ""
    senior = facts.cards.get(Network.SENIOR)
    if starter is not None:
        fits = starter.resolution == profile.resolution
        first = senior if n_rounds == 1 else None  # later ones start from another
        if not (first.training.get("from_junior", fits) if first else fits):
            start = ""
    held_out = ""
    if settings.hold_out:
        held_out = f" Participants kept out of all training: {', '.join(settings.hold_out)}."
    refined = ", and the scans refined the borders, as below" if recipe.evidence else ""
    halves, learned_from = "", "on the mixes and on the pseudo-labelled scans"
    if recipe.healthy_halves:
        halves = (
            "Where the junior found a tumour on one side only, the other half of the brain and its "
            "mirror image made a further tumour-free brain, with the scanner's own look; synthetic "
            "tumours were drawn into these as in stage 1. "
        )
        learned_from = "on the mixes, the pseudo-labelled scans and all synthetic tumours"
    if starter is not None or heads:
        learned_from += ", and on the tumour-free brains as they are"
    corrected = ""
    if n := facts.n_corrected:
        corrected = (
            f"{n} mask{'s' if n > 1 else ''}, corrected by a person, took the place of "
            f"pseudo-labels and {'were' if n > 1 else 'was'} drawn {TIMES} times as often. "
        )
    # What is known of pseudo-labels and epoch is known of the last round.
    count, epoch = "", ""
    if n_rounds == 1:
        count, epoch = pseudo_label_count(facts), best_epoch(facts, Network.SENIOR)
    return (
        f"**Stage 2.** The junior segmented the tumour scans{refined}"
        ". Pseudo-labels chosen by a quality control made without any manual label"
        f"{count} were used to cut tumours out and to mix them into "
        f"tumour-free brains ({profile.n_mixed} mixes). {corrected}{halves}A senior network, "
        f"{start}{trained(profile.senior)} {learned_from}{epoch}.{held_out}"
    )


def _further_rounds(facts: RunFacts, n_rounds: int) -> str:
    senior = facts.cards.get(Network.SENIOR)
    starts = senior is None or senior.training.get("from_junior", True)
    start = ", and started from its weights" if starts else ""
    return (
        f"**Further rounds.** Stage 2 was done {n_rounds} times. In each round after the first, "
        "the senior of the round before took the junior's part: its segmentations, chosen in the "
        "same way, became the pseudo-labels that the next senior learned from, which was trained "
        f"as long{start}. Scans that chose the epoch of one senior chose that of all. The masks "
        f"are those of the senior of round {n_rounds} of {n_rounds}"
        f"{best_epoch(facts, Network.SENIOR)}, which learned from the last pseudo-labels"
        f"{pseudo_label_count(facts)}."
    )
