"""Where scratch data lie: a folder of each output's own, removed after a whole run."""

from __future__ import annotations

import dataclasses
import os
import secrets
import shutil
from pathlib import Path

from synthtumour_bids.execution.outcome import Outcome
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
    name = f"synthtumour-{_output_id(settings.output_dir / 'logs' / 'output_id')}"
    return dataclasses.replace(settings, work_dir=settings.work_dir / name)


def _output_id(path: Path) -> str:
    """Read the output's word; the first of several jobs that start together makes it."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        partial.write_text(secrets.token_hex(4), encoding="utf-8")
        try:
            os.link(partial, path)  # unlike a rename, does not replace another job's word
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    return path.read_text(encoding="utf-8")


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
        shutil.rmtree(job.settings.work_dir / name, ignore_errors=True)
    if job.settings.work_dir.is_dir() and not any(job.settings.work_dir.iterdir()):
        job.settings.work_dir.rmdir()
