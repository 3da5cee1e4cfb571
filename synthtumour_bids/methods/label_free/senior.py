"""What the senior learns from: real tumours by their labels, mixes, synthetic tumours."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.wording import listed
from synthtumour_bids.errors import DataError
from synthtumour_bids.job import Job
from synthtumour_bids.methods import corrections
from synthtumour_bids.methods.label_free import (
    known_cases,
    simulated_hosts,
    stage_one,
    stage_two,
)
from synthtumour_bids.methods.label_free.healthy_halves import healthy_halves
from synthtumour_bids.methods.label_free.hosts import whole_brains
from synthtumour_bids.methods.label_free.negatives import negative_cases
from synthtumour_bids.methods.label_free.recipes import Recipe
from synthtumour_bids.methods.label_free.stage_one_samples import Sample
from synthtumour_bids.methods.pseudo_labels import KIND, Labelled, judge, record_pseudo_labels
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.segmentation.model_card import Model

LOGGER = logging.getLogger(__name__)
NO_PSEUDO_LABEL = (
    "The {0} found no usable tumour in any tumour scan ({1} looked at), so there is nothing for "
    "the senior to learn from. Look at models/report.html, which has the {0}'s curve and all "
    "pseudo-labels; train longer (--profile), or check --contrast and --lesion."
)


def make_cases(
    job: Job,
    recipe: Recipe,
    teacher: Model,
    tumours: Sequence[Scan],
    hosts: tuple[Sequence[Scan], Sequence[Scan]],
    *,
    validating: Collection[str],
    simulates: bool,
    negatives: bool,
) -> list[Case]:
    """Label the real tumours, mix them into tumour-free brains, and list all cases.

    Parameters
    ----------
    job, recipe
        Of the run.
    teacher
        The network that labels the tumours.
    tumours
        Scans to learn from.
    hosts
        Tumour-free scans for training, and for validation.
    validating
        Persons with a tumour who chose the epoch of the teacher, where that was a senior.
    simulates
        Whether simulated heads are hosts, too.
    negatives
        Whether tumour-free brains are learned as they are, too.

    Raises
    ------
    DataError
        When no tumour has a label that is good enough.
    """
    count = job.settings.profile.n_mixed
    train, validation = label(job, recipe, teacher, tumours, validating)
    whole, others = (whole_brains(job, scans) for scans in hosts)
    if simulates:
        simulated_hosts.render_missing(job)
        heads = simulated_hosts.sides(job)
        whole, others = whole + heads[0], others + heads[1]
    empty = negative_cases(job, whole) if negatives else []
    synthetic = stage_one.read_samples(job)
    in_halves: list[Sample] = []
    if recipe.healthy_halves:
        halves = healthy_halves(job, teacher, train)
        whole += halves
        in_halves = stage_one.draw_into(job, halves, recipe, count)
    mixes = stage_two.mix_all(
        job, stage_two.plan(job, recipe, (train, validation), (whole, others), count)
    )
    known_cases.keep(job, [case for case in mixes if stage_two.is_calibrating(case)])
    mixes = [case for case in mixes if not stage_two.is_calibrating(case)]
    stage_two.picture(job, mixes)
    real = [real_case(job, item, stage_two.TRAIN) for item in train]
    real += [real_case(job, item, stage_two.VALIDATION) for item in validation]
    drawn = [s.case() for s in synthetic] if recipe.healthy_halves else []
    return senior_cases(
        mixes,
        [*real, *empty],
        drawn,
        [s.case("half-", " in healthy halves") for s in in_halves],
        [s.case() for s in synthetic],
    )


def label(
    job: Job,
    recipe: Recipe,
    teacher: Model,
    tumours: Sequence[Scan],
    validating: Collection[str] = (),
) -> tuple[list[Labelled], list[Labelled]]:
    """Label the tumours for training and for validation; corrected masks go before the teacher's.

    Raises
    ------
    DataError
        When there is no label for training.
    """
    assessed, pseudo = judge(job, teacher, recipe.evidence, tumours)
    if job.round == 1:
        train, validation = stage_two.split_tumours(pseudo, job.settings.seed)
    else:
        train, validation = stage_two.split_as_before(pseudo, validating)
    validating = {*validating, *(item.scan.person for item in validation)}
    given, emptied = corrections.carried(job), corrections.emptied(job)
    corrected = [
        Labelled(scan, job.layout.correction(scan), corrected=True)
        for scan in tumours
        if scan.key in given
    ]
    train, in_vain = with_corrected(train, validating, corrected, emptied)
    if in_vain:
        LOGGER.warning(
            "The corrected masks of %s are not learned from: scans of these persons choose the "
            "senior's epoch.",
            listed(in_vain, 5),
        )
    used = {item.scan.key for item in (*train, *validation) if not item.corrected}
    taught = {item.scan.key for item in train if item.corrected}
    record_pseudo_labels(job, assessed, used, taught)
    if not train:
        raise DataError(NO_PSEUDO_LABEL.format(teacher.name, len(tumours)))
    LOGGER.info("Learned from: %d pseudo-labels, %d corrected masks.", len(used), len(taught))
    return train, validation


def with_corrected(
    train: Sequence[Labelled],
    validating: Collection[str],
    corrected: Sequence[Labelled],
    emptied: Collection[str] = (),
) -> tuple[list[Labelled], list[str]]:
    """Put corrected masks in the place of pseudo-labels, or beside them; emptied ones take theirs.

    The division into training and validation stays what it is without them, so that the same scans
    choose the epoch.

    Parameters
    ----------
    train
        Pseudo-labels for training.
    validating
        Persons who choose the epoch.
    corrected
        Masks that a person has corrected.
    emptied
        Keys of the scans among these whose masks hold nothing: they have no label to learn from.

    Returns
    -------
    for_training : list of Labelled
        By the scans' keys.
    in_vain : list of str
        Keys of corrected scans whose persons validate.
    """
    labels = {item.scan.key: item for item in train}
    labels |= {one.scan.key: one for one in corrected if one.scan.person not in validating}
    in_vain = [one.scan.key for one in corrected if one.scan.person in validating]
    return [labels[key] for key in sorted(labels.keys() - {*emptied})], in_vain


def senior_cases(
    mixes: Sequence[Case],
    real: Sequence[Case],
    synthetic: Sequence[Case],
    in_halves: Sequence[Case],
    junior_cases: Sequence[Case],
) -> list[Case]:
    """List the senior's cases; a pure function of what was made.

    Real scans with their pseudo-labels come once each: were they a third of all, as published,
    the senior would stay where the junior is. No person stands on both sides of the validation,
    which for hosts are those of stage 1.

    Parameters
    ----------
    mixes, real
        Of both sides; tumour-free brains as they are count as real.
    synthetic
        The junior's samples, of which those for training are used again.
    in_halves
        Synthetic tumours in healthy halves of the training tumours' brains.
    junior_cases
        Their shifted-validation samples validate the senior, too, where there are too few tumour
        scans to divide.
    """
    cases = [*mixes, *real, *(case for case in synthetic if not case.validation), *in_halves]
    if any(case.validation for case in real):
        return cases
    return cases + [case for case in junior_cases if case.validation]


def real_case(job: Job, item: Labelled, side: str) -> Case:
    """Give a real scan with its label to a network; corrected ones are drawn more often."""
    return Case(
        f"{side}-{item.scan.stem}",
        job.layout.standard_image(item.scan),
        item.label,
        validation=side == stage_two.VALIDATION,
        times=corrections.TIMES if item.corrected else 1,
        persons=frozenset((item.scan.person,)),
        kind=corrections.KIND if item.corrected else KIND,
    )
