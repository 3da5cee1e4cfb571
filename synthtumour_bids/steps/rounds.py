"""``--rounds``: how many seniors a run trains one after the other, once its folder is known."""

from __future__ import annotations

from synthtumour_bids.errors import UsageError
from synthtumour_bids.job import Job
from synthtumour_bids.methods import lineage, rounds
from synthtumour_bids.settings import Method


def with_rounds(job: Job) -> Job:
    """Settle how many rounds a run has: as many as are asked for, else as earlier runs had.

    Raises
    ------
    UsageError
        When fewer are asked for than the senior of the output folder has been through.
    """
    settings = job.settings
    if settings.model is not None or settings.method is not Method.SYNTHTUMOUR:
        return job
    if lineage.starts_anew(job):
        return job.until_round(settings.rounds or 1)
    asked, there = settings.rounds, rounds.reached(job)
    if asked is not None and asked < there:
        msg = (
            f"--rounds {asked}: the senior in {job.layout.models} is of round {there}, and those "
            f"before it have taught it. Leave the flag out to keep it, or add --retrain to train "
            "anew."
        )
        raise UsageError(msg)
    return job.until_round(asked or max(there, rounds.asked_before(job)))
