"""What a run used: measured during its steps, told and drawn at its end."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from synthtumour_bids.execution.usage import Usage
from synthtumour_bids.job import Job
from synthtumour_bids.reports.usage_plot import write_usage_plot

LOGGER = logging.getLogger(__name__)


@contextmanager
def measured(job: Job) -> Iterator[Usage]:
    """Measure what is used during the block, and plot it, however the block ends."""
    usage = Usage(job.log_dir)
    try:
        with usage:
            yield usage
    finally:
        with suppress(OSError):  # as with a full disk, which is what is to be told
            words = write_usage_plot(usage.path)
            LOGGER.info("Time by step: %s (%s).", words or "no step ran", usage.path)
