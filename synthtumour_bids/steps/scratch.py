"""Where scratch data lie: a folder of each output's own, removed after a whole run."""

from __future__ import annotations

import dataclasses
import secrets
import shutil

from synthtumour_bids.execution.outcome import Outcome
from synthtumour_bids.files import write_once
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Scratch
from synthtumour_bids.settings import Settings, Step


def with_own_work_dir(settings: Settings) -> Settings:
    """Give this output a folder of its own inside the work folder.

    Two outputs may name one work folder; each one's synthetic data must stay its own. The folder
    is named by a random word that the output keeps, not by the output's path: in containers every
    output is ``/out``. A work folder inside the output needs none.
    """
    if settings.output_dir.resolve() in settings.work_dir.resolve().parents:
        return settings
    word = write_once(settings.output_dir / "logs" / "output_id", secrets.token_hex(4))
    return dataclasses.replace(settings, work_dir=settings.work_dir / f"synthtumour-{word}")


def clean_work(job: Job, outcome: Outcome) -> None:
    """Remove scratch data after a whole run without failures, unless ``--keep-work``.

    Only folders this app made are removed, never the work folder's other content. A run of some
    steps or some participants may have neighbours that still need the same folder: it removes
    nothing.
    """
    settings = job.settings
    whole = (
        settings.steps == tuple(Step)
        and Step.SEGMENT in job.steps
        and not settings.participant_label
    )
    if outcome.failures or settings.keep_work or not whole:
        return
    for name in Scratch:
        shutil.rmtree(job.layout.scratch(name), ignore_errors=True)
    for folder in (job.layout.scratch(Scratch.STAMPS).parent, settings.work_dir):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
