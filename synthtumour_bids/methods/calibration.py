"""How far a network's answers can be trusted, measured on tumours that were drawn or mixed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
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
from synthtumour_bids.methods.replanting import Hosts, replanted, tumour_free
from synthtumour_bids.methods.segmenter import Segmenter
from synthtumour_bids.segmentation.calibration import Calibration
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.segmentation.expected_dice import Signs, fit_line
from synthtumour_bids.segmentation.model_card import Model, ModelCard
from synthtumour_bids.segmentation.reliability import reliability, write_picture
from synthtumour_bids.segmentation.temperature import at_temperature, fit_temperature
from synthtumour_bids.segmentation.uncertainty import sure_share
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.geometry import dice
from synthtumour_bids.synthesis.seeds import stream
from synthtumour_bids.volumes import load_volume

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
    signs
        Of its mask; ``None`` where that is empty, or the replant test could not be done.
    dice
        Of the network's mask with what was drawn or mixed.
    """

    probabilities: NDArray[np.float32]
    labels: NDArray[np.bool_]
    signs: Signs | None
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
    both = [_segmenter(job, method, model, card, mirroring) for mirroring in (True, False)]

    def hosts(case: Case) -> Hosts:
        return tumour_free(job, case.persons, len(case.images))

    answered = answers(both[0], both[1], cases, job.settings.seed, hosts)
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


def answers(
    mirroring: Segmenter,
    plain: Segmenter,
    cases: Sequence[Case],
    seed: int,
    hosts: Callable[[Case], Hosts],
) -> list[Answer]:
    """Ask a network about known cases; those that it cannot segment are told of and left out.

    Parameters
    ----------
    mirroring, plain, seed
        As for `answer`.
    cases
        With their labels, on the segmenters' grid.
    hosts
        Gives a case's tumour-free brains of other persons.
    """

    def one(case: Case) -> Answer | None:
        try:
            return answer(mirroring, plain, case, seed, hosts(case))
        except SynthTumourError as error:
            LOGGER.warning("%s calibrates nothing: %s", case.name, error)
            return None

    found = []
    with (
        Progress("Calibrating", len(cases)) as progress,
        closing(side_by_side(one, cases, mirroring.at_once)) as answered,
    ):
        for case, told in zip(cases, answered, strict=True):
            if told is not None:
                found.append(told)
            progress.advance(case.name)
    return found


def _segmenter(
    job: Job, method: Method, model: Model, card: ModelCard, mirroring: bool
) -> Segmenter:
    return Segmenter(
        model.folder,
        method.border_evidence(card),
        card.lesion,
        method.enclosed(card),
        NetworkGrid.of(job, card.resolution),
        device=job.settings.device,
        mirroring=mirroring,
        nprocs=job.settings.nprocs,
        mem_gb=job.settings.mem_gb,
    )


def answer(mirroring: Segmenter, plain: Segmenter, case: Case, seed: int, hosts: Hosts) -> Answer:
    """Ask a network about one known case.

    Parameters
    ----------
    mirroring, plain
        The network with and without the mirror image: the maps that are written are made with it,
        the replant test without.
    case
        With its label.
    seed
        Of the voxels that are drawn.
    hosts
        Tumour-free brains of other persons, for tumours without a healthy side.
    """
    volumes, label = [load_volume(path) for path in case.images], load_volume(case.label).mask
    brain = ndimage.binary_fill_holes(np.any([one.data != 0 for one in volumes], axis=0))
    brains = [Brain(one.data, brain, one.spacing) for one in volumes]
    probability = mirroring.probability(brains)
    mask = mirroring.mask(probability, brains[0])
    test, sure = replanted(plain, brains, probability, mask, hosts), sure_share(probability, mask)
    signs = None if sure is None or test.overlaps is None else Signs(sure, test.overlaps)
    drawn = drawn_voxels(brain, seed, case.name)
    return Answer(probability.ravel()[drawn], label.ravel()[drawn], signs, dice(mask, label))


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
    """Fit a temperature and the line of expected Dice; ``None`` without any answer.

    A network that marks too much is not too sure, and no temperature mends it: where the map gets
    less reliable by the fitted one, it stays as it is.
    """
    if not answered:
        return None
    said = np.concatenate([one.probabilities for one in answered])
    known = np.concatenate([one.labels for one in answered])
    temperature, before = round(fit_temperature(said, known), 4), reliability(said, known)
    after = reliability(at_temperature(said, temperature), known)
    if after.error > before.error:
        temperature, after = 1.0, before
    tested = [(one.signs, one.dice) for one in answered if one.signs is not None]
    return Calibration(
        temperature,
        len(answered),
        before,
        after,
        origin,
        fit_line([signs for signs, _ in tested], [found for _, found in tested]),
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
