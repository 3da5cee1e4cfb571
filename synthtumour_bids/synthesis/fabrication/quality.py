"""Which refined samples are good enough: judged by the networks, against real lesions' scores.

Every threshold is conformal, by the scores that n annotated real lesions get, from which the
networks have not learned (their step was chosen by them): of the next lesion like them each score
is too low with a probability of at most 0.05, or 1 / (n + 1) where they are fewer than 19 and the
threshold is the lowest of them.

With few of them such a threshold is the score of one lesion, and a discriminator that has won
puts every sample below it. A sample is therefore also good enough if it scores higher than a
quarter of the refined samples that nothing was learned from.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.05
REFINED_QUANTILE = 0.25


@dataclass(frozen=True)
class Scores:
    """How the networks judge one lesion; higher is better.

    Attributes
    ----------
    realness
        Mean verdict of the discriminator's first head over the lesion.
    kinds
        Mean Dice of the classes its second head sees with the label's.
    segmentation
        The same for the segmentation network.
    """

    realness: float
    kinds: float
    segmentation: float


ACCEPT_ALL = Scores(-math.inf, 0.0, 0.0)


@dataclass(frozen=True)
class Verdict:
    """Whether one sample is kept.

    Attributes
    ----------
    accepted
        Whether no score lies below its threshold.
    reasons
        Names of the scores that do.
    scores
        All of them.
    """

    accepted: bool
    reasons: tuple[str, ...]
    scores: Scores


@dataclass(frozen=True)
class Report:
    """How many samples were dropped, and why.

    Attributes
    ----------
    judged, dropped
        Numbers of samples.
    rate
        Share of the judged ones that were dropped.
    reasons
        How often each score was too low; one sample may fail several.
    thresholds
        What the scores were held against.
    """

    judged: int
    dropped: int
    rate: float
    reasons: dict[str, int]
    thresholds: Scores


def thresholds_from(
    real: Sequence[Scores], level: float = LEVEL, refined: Sequence[Scores] = ()
) -> Scores:
    """Find the least acceptable scores: low ones of real lesions, or of refined samples.

    Parameters
    ----------
    real
        Scores of annotated lesions that nothing was learned from.
    level
        Probability with which the next of them may score lower, in [0, 1); see above.
    refined
        Scores of refined samples that nothing was learned from; their lower quartile counts where
        it is lower. They may be left out.

    Returns
    -------
    Scores

    Raises
    ------
    ValueError
        If there is no real lesion, or the level is not in [0, 1).
    """
    if not real or not 0 <= level < 1:
        raise ValueError(
            "Thresholds need scores of real lesions and a level from 0 to below 1; found "
            f"{len(real)} lesion(s) and {level:g}."
        )
    place = max(1, math.floor(level * (len(real) + 1)))
    least = {}
    for name in Scores.__dataclass_fields__:
        bars = [sorted(getattr(s, name) for s in real)[place - 1]]
        if refined:
            bars.append(np.quantile([getattr(s, name) for s in refined], REFINED_QUANTILE))
        least[name] = float(min(bars))
    return Scores(**least)


def judge(scores: Scores, thresholds: Scores) -> Verdict:
    """Hold a sample's scores against the thresholds.

    Parameters
    ----------
    scores
        Of the sample.
    thresholds
        Least acceptable ones; see :func:`thresholds_from`.
    """
    low = tuple(
        name
        for name in Scores.__dataclass_fields__
        if not getattr(scores, name) >= getattr(thresholds, name)  # drops NaN, too
    )
    return Verdict(not low, low, scores)


def report(verdicts: Sequence[Verdict], thresholds: Scores) -> Report:
    """Sum the verdicts up.

    Parameters
    ----------
    verdicts
        On all samples.
    thresholds
        What they were held against.
    """
    dropped = sum(not verdict.accepted for verdict in verdicts)
    reasons = Counter(reason for verdict in verdicts for reason in verdict.reasons)
    rate = dropped / len(verdicts) if verdicts else 0.0
    return Report(len(verdicts), dropped, rate, dict(sorted(reasons.items())), thresholds)
