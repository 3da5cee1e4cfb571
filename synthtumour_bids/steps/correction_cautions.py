"""What a run does with corrected masks that whoever gives them may not expect."""

from __future__ import annotations

from synthtumour_bids.bids.wording import listed
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.ledger import COHORT
from synthtumour_bids.methods import corrections
from synthtumour_bids.methods.label_free.junior_source import FEWEST_TO_LEARN_FROM
from synthtumour_bids.settings import Step


def sentences(job: Job) -> tuple[str, ...]:
    """What the user should know beforehand; an empty one where there is nothing to tell."""
    return (_taught_nobody(job), _not_trained(job), _scored(job))


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


def _not_trained(job: Job) -> str:
    """Tell that a run trains nothing, and its senior learned from other masks."""
    settings = job.settings
    if settings.corrections is None or settings.model is not None or Step.TRAIN in job.steps:
        return ""
    senior = job.ledger.finished(COHORT, Network.SENIOR)
    if senior is None or not {Step.SEGMENT, Step.REPORT} & set(job.steps):
        return ""
    if corrections.are_still_those(job, senior.details):
        return ""
    return (
        f"The senior in {job.layout.models} has learned from other masks than those of "
        f"--corrections {settings.corrections}, and this run does not train it: its masks are "
        "those of before. Give --corrections to a run with step train (of an array of jobs, to "
        "that of level group)."
    )


def _scored(job: Job) -> str:
    """Tell whose agreement with a truth says nothing of scans that nobody has drawn in."""
    settings = job.settings
    if settings.truth is None or settings.model is not None or Step.REPORT not in job.steps:
        return ""
    taught = corrections.would_teach(job)
    names = sorted(scan.name for scan in job.selection.everything if scan.key in taught)
    if not names:
        return ""
    return (
        f"The corrected masks of {listed(names, 5)} (--corrections) teach the senior. Where these "
        "scans have a truth (--truth), they are left out of the mean Dice; their own is in the "
        "tables, and says nothing of scans that nobody has drawn in. --hold-out keeps somebody out "
        "of the training."
    )
