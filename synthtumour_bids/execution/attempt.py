"""One item of work and what became of it, wherever it ran."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from logging.handlers import QueueHandler
from types import SimpleNamespace
from typing import Any, Generic, TypeVar

from synthtumour_bids.errors import SynthTumourError
from synthtumour_bids.execution.disk import disk_advice, permission_advice

Item = TypeVar("Item")
Value = TypeVar("Value")

KILLED = (
    "the worker process was killed, most often because memory ran out; "
    "use fewer processes (--nprocs) or tell the limit (--mem)."
)


@dataclass(frozen=True)
class Result(Generic[Item, Value]):
    """What became of one item: a value, or the sentence and the trace of what went wrong.

    Where that was the disk, ``disk`` says what to do: what fails for one item would for all.
    """

    item: Item
    value: Value | None = None
    error: str = ""
    trace: str = ""
    disk: str = ""

    @property
    def failed(self) -> bool:
        """Whether the item failed."""
        return bool(self.error)


def attempt(function: Callable[[Item], Value], item: Item) -> Result[Item, Value]:
    """Call ``function`` on one item and turn an exception into a failed result."""
    try:
        return Result(item, function(item))
    except SynthTumourError as error:
        return Result(item, error=str(error), trace=traceback.format_exc())
    except MemoryError:
        return Result(item, error=KILLED, trace=traceback.format_exc())
    except Exception as error:  # noqa: BLE001 - one bad scan never stops the others
        sentence = permission_advice(error) or f"{type(error).__name__}: {error}"
        advice = disk_advice(error)
        return Result(item, error=sentence, trace=traceback.format_exc(), disk=advice)


@dataclass(frozen=True)
class Answer(Generic[Item, Value]):
    """What another process sends back: the result, and what was logged on the way."""

    result: Result[Item, Value]
    records: Sequence[logging.LogRecord] = ()

    def unpack(self) -> Result[Item, Value]:
        """Log here what was logged there; return the result."""
        for record in self.records:
            logging.getLogger(record.name).handle(record)
        return self.result


def attempt_in_worker(function: Callable[[Item], Value], item: Item) -> Answer[Item, Value]:
    """Do as :func:`attempt` does, in a process whose log lines nobody would see."""
    with _captured_log() as records:
        result = attempt(function, item)
    return Answer(result, tuple(records))


@contextmanager
def _captured_log() -> Iterator[list[logging.LogRecord]]:
    """Collect this package's log lines, ready to be pickled."""
    records: list[logging.LogRecord] = []
    queue: Any = SimpleNamespace(put_nowait=records.append)
    handler = QueueHandler(queue)
    logger = logging.getLogger("synthtumour_bids")
    before = logger.level, logger.propagate
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield records
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before
