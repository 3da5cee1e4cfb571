"""How far a network's answers can be trusted, measured on tumours that were drawn or mixed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthtumour_bids.bids.wording import listed
from synthtumour_bids.errors import SynthTumourError
from synthtumour_bids.estimates import CALIBRATING
from synthtumour_bids.execution.progress import Progress
from synthtumour_bids.execution.threads import side_by_side
from synthtumour_bids.job import Job
from synthtumour_bids.methods.base import Method
from synthtumour_bids.methods.network_grid import NetworkGrid
from synthtumour_bids.methods.segmenter import Segmenter
from synthtumour_bids.segmentation.calibration import Calibration
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.segmentation.expected_dice import fit_line
from synthtumour_bids.segmentation.model_card import Model
from synthtumour_bids.segmentation.reliability import reliability, write_picture
from synthtumour_bids.segmentation.temperature import at_temperature, fit_temperature
from synthtumour_bids.segmentation.uncertainty import sure_share
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.geometry import dice
from synthtumour_bids.synthesis.seeds import stream
from synthtumour_bids.volumes import Volume, load_volume

LOGGER = logging.getLogger(__name__)
MOST_CASES = CALIBRATING  # more would tell the temperature better than anybody needs
VOXELS = 20_000  # of each case's brain
BEFORE, AFTER = "as the network says", "calibrated"


@dataclass(frozen=True, eq=False)
class Answer:
    """What a network said of one known case.

    Attributes
    ----------
    probabilities, labels
        Of voxels drawn from its brain, (N,), and whether they are tumour.
    sure
        Share of its mask that it is sure of; ``None`` where that is to have no say.
    dice
        Of the network's mask with what was drawn or mixed.
    """

    probabilities: NDArray[np.float32]
    labels: NDArray[np.bool_]
    sure: float | None
    dice: float


def calibrate(job: Job, method: Method, model: Model) -> None:
    """Calibrate a network that was trained here, and tell of it in its card.

    A card that has it is left as it is, and so is one of a network whose cases are gone: nothing
    is trained or drawn for it.
    """
    card = model.card
    if card.calibration is not None:
        return
    cases = spread(method.calibration_cases(job), MOST_CASES)
    if not cases:
        LOGGER.info(
            "The %s is not calibrated: the mixes and samples with known tumours are not in %s any "
            "more. Its probabilities stay as they are, and no Dice is expected of its masks.",
            model.name,
            job.settings.work_dir,
        )
        return
    segmenter = Segmenter(
        model.folder,
        method.border_evidence(card),
        card.lesion,
        method.enclosed(card),
        NetworkGrid.of(job, card.resolution),
        device=job.settings.device,
        nprocs=job.settings.nprocs,
        mem_gb=job.settings.mem_gb,
    )
    answered = answers(segmenter, cases, job.settings.seed)
    calibration = calibration_of(answered, listed(sorted({case.kind for case in cases})))
    if calibration is None:
        return
    lines = {BEFORE: calibration.before, AFTER: calibration.after}
    write_picture(lines, model.folder, calibration.origin)
    replace(card, calibration=calibration).write(model.folder)
    LOGGER.info(
        "The %s is calibrated on %d cases with known tumours (%s): temperature %.2f.",
        model.name,
        calibration.cases,
        calibration.origin,
        calibration.temperature,
    )


def answers(segmenter: Segmenter, cases: Sequence[Case], seed: int) -> list[Answer]:
    """Ask a network about known cases; those that it cannot segment are told of and left out.

    Parameters
    ----------
    segmenter, seed
        As for `answer`.
    cases
        With their labels, on the segmenter's grid.
    """

    def one(case: Case) -> Answer | None:
        try:
            return answer(segmenter, case, seed)
        except SynthTumourError as error:
            LOGGER.warning("%s calibrates nothing: %s", case.name, error)
            return None

    found = []
    with (
        Progress("Calibrating", len(cases)) as progress,
        closing(side_by_side(one, cases, segmenter.at_once)) as answered,
    ):
        for case, told in zip(cases, answered, strict=True):
            if told is not None:
                found.append(told)
            progress.advance(case.name)
    return found


def answer(segmenter: Segmenter, case: Case, seed: int) -> Answer:
    """Ask a network about one known case.

    Parameters
    ----------
    segmenter
        The network.
    case
        With its label.
    seed
        Of the voxels that are drawn.
    """
    volumes, label = [load_volume(path) for path in case.images], load_volume(case.label).mask
    brain = brain_of(volumes)
    brains = [Brain(one.data, brain, one.spacing) for one in volumes]
    probability = segmenter.probability(brains)
    mask = segmenter.mask(probability, brains[0])
    drawn, sure = drawn_voxels(brain, seed, case.name), sure_share(probability, mask)
    return Answer(probability.ravel()[drawn], label.ravel()[drawn], sure, dice(mask, label))


def brain_of(images: Sequence[Volume]) -> NDArray[np.bool_]:
    """Brain mask of a known case, (X, Y, Z), by its images, which are 0 outside.

    A tumour that is black inside is in it.
    """
    inside = np.any([one.data != 0 for one in images], axis=0)
    brain: NDArray[np.bool_] = ndimage.binary_fill_holes(inside)
    return brain


def drawn_voxels(brain: NDArray[np.bool_], seed: int, name: str) -> NDArray[np.intp]:
    """Draw the voxels of a known case that the temperature is fitted on, as flat indices.

    Parameters
    ----------
    brain
        (X, Y, Z).
    seed, name
        Of the run and the case.
    """
    inside = np.flatnonzero(brain)
    rng = stream(seed, name, purpose="calibration")
    return rng.choice(inside, min(VOXELS, inside.size), replace=False)


def calibration_of(answered: Sequence[Answer], origin: str) -> Calibration | None:
    """Fit a temperature and the line of expected Dice; ``None`` without any answer."""
    if not answered:
        return None
    said = np.concatenate([one.probabilities for one in answered])
    true = np.concatenate([one.labels for one in answered])
    temperature, before = round(fit_temperature(said, true), 4), reliability(said, true)
    after = reliability(at_temperature(said, temperature), true)
    known = [(one.sure, one.dice) for one in answered if one.sure is not None]
    return Calibration(
        temperature,
        len(answered),
        before,
        after,
        origin,
        fit_line([share for share, _ in known], [found for _, found in known]),
    )


def spread(cases: Sequence[Case], most: int) -> list[Case]:
    """Give at most so many cases, evenly from each kind and over each kind's order.

    Parameters
    ----------
    cases
        Of any kinds.
    most
        How many.
    """
    kinds: dict[str, list[Case]] = {}
    for case in cases:
        kinds.setdefault(case.kind, []).append(case)
    chosen: list[Case] = []
    for left, own in zip(range(len(kinds), 0, -1), sorted(kinds.values(), key=len), strict=True):
        count = min(len(own), (most - len(chosen)) // left)
        places = np.linspace(0, len(own) - 1, count).round().astype(int)
        chosen += [own[place] for place in places]
    return chosen
