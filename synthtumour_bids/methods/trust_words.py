"""What the methods text says of how far masks can be trusted: calibration, and the verdict."""

from __future__ import annotations

from synthtumour_bids.methods.base import Cite
from synthtumour_bids.methods.comparison import BEYOND_SHARE, Comparison
from synthtumour_bids.methods.witness import Witness
from synthtumour_bids.segmentation.calibration import Calibration
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.segmentation.norm import REACH_MM
from synthtumour_bids.segmentation.presence import NO, USUAL, YES
from synthtumour_bids.segmentation.uncertainty import SURE


def presence_words(witness: Witness | None, comparison: Comparison, n_norm: int = 0) -> str:
    """How it was judged whether there is a tumour; nothing where it was not.

    Parameters
    ----------
    witness
        That judged.
    comparison
        How masks were compared with the other side.
    n_norm
        People without a tumour whose brightness they were compared with.
    """
    if witness is None or witness.controls is None:
        return ""
    controls, dropped = witness.controls, ""
    if witness.measured and comparison.rules is not None:
        if witness.beside:
            dropped = (
                " Where it was absent by this, parts of the senior's mask that the "
                f"{witness.network} had not found were dropped."
            )
        if n_norm:
            dropped += (
                " Where it was absent, parts of the senior's mask (all but the smallest) with at "
                f"most {BEYOND_SHARE:.0%} of their voxels brighter than any of {n_norm} people "
                f"without a tumour within {REACH_MM:g} mm of the place, or of the one that mirrors "
                "it, were dropped, too."
            )
        dropped += f" Where p > {USUAL:g}, nothing was kept of a mask."
    return (
        " Whether a scan has a tumour at all was judged by the strongest part of the "
        f"{witness.network}'s mask (volume weighted by probability, times the brightness over the "
        "other side of the brain), by "
        f"conformal prediction against {len(controls.likeness)} {controls.source} that "
        f"neither taught nor selected a network: a tumour is present where p ≤ {YES:g}, absent "
        f"where p > {NO:g} or nothing is left of the mask, and else it is unsure.{dropped}"
    )


def calibration_words(card: ModelCard | None, cite: Cite) -> str:
    """How probabilities were calibrated, and where the Dice to be expected comes from."""
    calibration = card.calibration if card else None
    return "" if calibration is None else _temperature(calibration, cite) + _expected(calibration)


def _temperature(calibration: Calibration, cite: Cite) -> str:
    if calibration.temperature == 1:
        return ""
    return (
        " The logits of that probability were then divided by a temperature "
        f"{cite('temperature')} of {calibration.temperature:.2f}, fitted on {calibration.cases} "
        f"cases with known tumours ({calibration.origin}), which leaves the masks as they are."
    )


def _expected(calibration: Calibration) -> str:
    line = calibration.expected_dice
    if line is None or line.planted:
        return ""
    return (
        " The Dice to be expected of each mask was told from the share of what the network marked "
        f"that it gave a probability of at least {SURE:g}, as calibrated on masks of {line.masks} "
        f"known tumours ({calibration.origin})."
    )
