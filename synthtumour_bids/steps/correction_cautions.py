"""What a run does with corrected masks that whoever gives them may not expect."""

from __future__ import annotations

from synthtumour_bids.job import Job
from synthtumour_bids.methods.label_free.junior_source import FEWEST_TO_LEARN_FROM


def sentences(job: Job) -> tuple[str, ...]:
    """What the user should know beforehand; an empty one where there is nothing to tell."""
    return (_taught_nobody(job),)


def _taught_nobody(job: Job) -> str:
    """Tell that masks teach nothing where the starter segments alone."""
    settings = job.settings
    if settings.corrections is None or settings.model is None:
        return ""
    return (
        f"No mask of --corrections {settings.corrections} is learned from: fewer than "
        f"{FEWEST_TO_LEARN_FROM} persons outside --hold-out have a tumour, so that nothing is "
        "trained, and the starter segments alone. --junior train learns from them all the same."
    )
