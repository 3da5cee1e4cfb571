"""SynthTumour in the methods text."""

from __future__ import annotations

from synthtumour_bids.layout import Network
from synthtumour_bids.methods.base import Cite, RunFacts
from synthtumour_bids.methods.label_free.recipes import Recipe
from synthtumour_bids.methods.words import best_epoch, pseudo_label_count, trained


def summary(cite: Cite) -> str:
    """Say what it is, in half a sentence."""
    return (
        "trains without manual annotations, following the two-stage image synthesis of "
        f"SynthTumour {cite('synthtumour')}"
    )


def paragraphs(facts: RunFacts, recipe: Recipe, cite: Cite) -> tuple[str, str]:
    """Tell of both stages."""
    return _stage_one(facts, recipe, cite), _stage_two(facts, recipe)


def _stage_one(facts: RunFacts, recipe: Recipe, cite: Cite) -> str:
    profile = facts.settings.profile
    given = " given by the user" if facts.settings.priors is not None else ""
    return (
        f"**Stage 1.** Synthetic tumours {recipe.words}{given} were drawn into tumour-free brains: "
        f"{profile.n_train} training samples and, in brains of other persons and with another "
        f"intensity model (distribution shift), {profile.n_shifted} validation samples. "
        f"A junior network, nnU-Net{facts.version('nnunetv2')} "
        f"{cite('nnunet')}, {trained(profile.junior)} and the checkpoint with the "
        "best Dice on the shifted validation samples was kept"
        f"{best_epoch(facts, Network.JUNIOR)}."
    )


def _stage_two(facts: RunFacts, recipe: Recipe) -> str:
    settings = facts.settings
    profile = settings.profile
    start = "started from the junior's weights, " if profile.senior.from_junior else ""
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
    return (
        f"**Stage 2.** The junior segmented the tumour scans{refined}"
        ". Pseudo-labels chosen by a quality control made without any manual label"
        f"{pseudo_label_count(facts)} were used to cut tumours out and to mix them into "
        f"tumour-free brains ({profile.n_mixed} mixes). {halves}A senior network, {start}"
        f"{trained(profile.senior)} {learned_from}{best_epoch(facts, Network.SENIOR)}.{held_out}"
    )
