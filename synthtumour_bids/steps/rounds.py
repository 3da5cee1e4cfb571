"""``--rounds``: how many seniors a run trains one after the other, once its folder is known."""

from __future__ import annotations

from synthtumour_bids.errors import UsageError
from synthtumour_bids.job import Job
from synthtumour_bids.methods import lineage, rounds
from synthtumour_bids.settings import Method


def with_rounds(job: Job) -> tuple[Job, str]:
    """Settle how many rounds a run has: as many as are asked for, else as earlier runs had.

    With ``--retrain`` there is one, unless more are asked for.

    Returns
    -------
    job : Job
        With its rounds.
    why : str
        A sentence; empty where there is nothing to tell.

    Raises
    ------
    UsageError
        When fewer are asked for than the senior of the output folder has been through.
    """
    settings = job.settings
    if settings.model is not None or settings.method is not Method.SYNTHTUMOUR:
        return job, ""
    asked, there = settings.rounds, rounds.reached(job)
    before = max(there, rounds.asked_before(job))
    if lineage.starts_anew(job):
        return job.until_round(asked or 1), _fewer(before) if asked is None else ""
    if asked is not None and asked < there:
        msg = (
            f"--rounds {asked}: the senior in {job.layout.models} is of round {there}, and those "
            f"before it have taught it. Leave the flag out to keep it, or add --retrain to train "
            "anew."
        )
        raise UsageError(msg)
    return job.until_round(asked or before), ""


def _fewer(before: int) -> str:
    """Say that a retraining has one round; nothing where there was no more than one before."""
    if before <= 1:
        return ""
    return (
        f"--retrain trains one senior, and the output folder had, or was to have, {before} rounds: "
        f"--rounds {before} trains as many again."
    )
