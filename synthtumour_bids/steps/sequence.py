"""The steps one after the other: those asked for, until a failure ends the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import ParamSpec

from synthtumour_bids.errors import DataError, SynthTumourError
from synthtumour_bids.execution.disk import disk_advice
from synthtumour_bids.execution.outcome import Outcome, ScanOutcome, Status
from synthtumour_bids.job import Job
from synthtumour_bids.ledger import Stop
from synthtumour_bids.settings import Step

FOR_ALL = (Step.SYNTHESISE, Step.TRAIN)  # the others fail scan by scan
Arguments = ParamSpec("Arguments")


class Sequence:
    """Runs steps and keeps their outcomes; `during` surrounds each."""

    def __init__(
        self, job: Job, during: Callable[[Step], AbstractContextManager[object]] = nullcontext
    ) -> None:
        self._job = job
        self._during = during
        self._records: list[ScanOutcome] = []

    @property
    def outcome(self) -> Outcome:
        """What became of everything so far."""
        return Outcome(tuple(self._records))

    def __call__(
        self,
        step: Step,
        function: Callable[Arguments, list[ScanOutcome]],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> None:
        """Run a step where it is asked for, unless an earlier failure ends the run.

        Raises
        ------
        DataError
            When no scan at all could be preprocessed: nothing is left to do.
        """
        if step not in self._job.steps or self._gives_up:
            return
        with self._during(step), self._recorded(step):
            records = function(*args, **kwargs)
        self._records += records
        if step is Step.PREPROCESS:
            _stop_when_nothing_is_left(records)

    @contextmanager
    def _recorded(self, step: Step) -> Iterator[None]:
        """Record what ends a step that is done once for all scans, for the pages and later jobs."""
        if step not in FOR_ALL:
            yield
            return
        try:
            yield
        except Exception as error:
            if not disk_advice(error):
                known = isinstance(error, SynthTumourError)
                told = str(error) if known else f"{type(error).__name__}: {error}"
                self._job.ledger.mark_stop(Stop(step, self._job.places.hide(told)))
            raise
        self._job.ledger.clear_stop(step)

    @contextmanager
    def reporting(
        self,
        function: Callable[Arguments, list[ScanOutcome]],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Iterator[None]:
        """Report at the end of the block, however it ends: that is when reports are worth most."""
        try:
            yield
        except Exception as error:
            if not disk_advice(error):  # else there is no room for reports
                self._report(function, *args, **kwargs)
            raise
        self._report(function, *args, **kwargs)

    def _report(
        self,
        function: Callable[Arguments, list[ScanOutcome]],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> None:
        if Step.REPORT in self._job.steps:
            with self._during(Step.REPORT):
                self._records += function(*args, **kwargs)

    @property
    def _gives_up(self) -> bool:
        """Whether a failure ends the run (``--stop-on-first-crash``)."""
        failed = any(record.status is Status.FAILED for record in self._records)
        return failed and self._job.settings.stop_on_first_crash


def _stop_when_nothing_is_left(records: list[ScanOutcome]) -> None:
    failures = [record for record in records if record.status is Status.FAILED]
    if records and len(failures) == len(records):
        sentences = "\n".join(f"  {record.key}: {record.message}" for record in failures)
        msg = f"None of the {len(records)} scans could be preprocessed:\n{sentences}"
        raise DataError(msg)
