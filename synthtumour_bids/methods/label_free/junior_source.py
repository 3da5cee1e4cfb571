"""Where the junior comes from: a starter that was trained beforehand, or a training here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from synthtumour_bids.methods.label_free.stage_two import FEWEST_TO_VALIDATE
from synthtumour_bids.settings import STARTER, JuniorSource

# With fewer persons none of the real tumours can be put aside to say when the senior has learned
# enough, and what a handful of tumours looks like is no measure for others.
FEWEST_TO_LEARN_FROM = FEWEST_TO_VALIDATE
TRAIN: JuniorSource = "train"


@dataclass(frozen=True)
class Asked:
    """What the user said that the choice hangs on.

    Attributes
    ----------
    junior
        ``--junior``; ``None`` where it was left out.
    own_tumours
        The flag that asks for synthetic tumours of another kind, which a starter does not know;
        empty where there is none.
    samples_only
        Whether the run draws synthetic tumours and trains nothing with them.
    """

    junior: JuniorSource | None = None
    own_tumours: str = ""
    samples_only: bool = False


@dataclass(frozen=True)
class There:
    """What is there that the choice hangs on.

    Attributes
    ----------
    starter
        What a starter for contrast and lesion is called; empty where there is none.
    begun
        Where the junior of the output folder comes from; ``None`` where there is none.
    persons
        Persons with a tumour outside ``--hold-out``.
    """

    starter: str = ""
    begun: JuniorSource | None = None
    persons: int = FEWEST_TO_LEARN_FROM


@dataclass(frozen=True)
class Choice:
    """Where the junior comes from, and why.

    Attributes
    ----------
    source
        ``alone``: the starter segments, and nothing is learned.
    why
        A sentence for the log.
    """

    source: JuniorSource | Literal["alone"]
    why: str


def choose(asked: Asked, there: There) -> Choice:
    """Choose where the junior comes from.

    Parameters
    ----------
    asked
        By the user. ``--junior starter`` is not for a place without a starter.
    there
        What there is.
    """
    if asked.junior == TRAIN:
        return Choice(TRAIN, "The junior is trained: --junior train.")
    if asked.junior is None:
        if asked.own_tumours:
            return Choice(TRAIN, f"The junior is trained: {asked.own_tumours} asks for it.")
        if there.begun == TRAIN:
            other = " --junior starter would take the starter instead." if there.starter else ""
            return Choice(
                TRAIN, f"The junior is trained: that of the output folder was, too.{other}"
            )
    if not there.starter:
        return Choice(TRAIN, "The junior is trained: there is no starter for these scans.")
    few = there.persons < FEWEST_TO_LEARN_FROM
    if few and not asked.samples_only and there.begun is None:
        persons = "1 person" if there.persons == 1 else f"{there.persons} persons"
        otherwise = " --junior train learns from them all the same." if there.persons else ""
        return Choice(
            "alone",
            f"Nothing is learned, and {there.starter} segments alone: the scans to learn from are "
            f"of {persons} with a tumour, fewer than {FEWEST_TO_LEARN_FROM}.{otherwise}",
        )
    if there.begun == STARTER:
        return Choice(STARTER, f"The junior is {there.starter}: the output folder has it.")
    return Choice(STARTER, f"The junior is {there.starter}; --junior train trains one instead.")
