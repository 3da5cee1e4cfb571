"""What became of the work: one record a scan and step, and the run's verdict made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from synthtumour_bids.errors import EXIT_DONE, EXIT_NO_DATA, EXIT_SOME_FAILED


class Status(StrEnum):
    """How one piece of work ended."""

    DONE = "done"
    SKIPPED = "skipped"  # was done already
    FAILED = "failed"


@dataclass(frozen=True)
class ScanOutcome:
    """How one step ended for one scan, or for something that is made once for all scans.

    Attributes
    ----------
    key
        The scan's, or a name such as ``junior``.
    message, log
        What went wrong, and the file with its trace.
    of_scan
        Whether ``key`` is that of a scan.
    """

    key: str
    step: str
    status: Status
    message: str = ""
    log: str = ""
    of_scan: bool = True


@dataclass(frozen=True)
class Outcome:
    """Everything a run did; its exit code and its last words come from the same records."""

    records: tuple[ScanOutcome, ...] = ()

    @property
    def failures(self) -> tuple[ScanOutcome, ...]:
        """The records of what failed."""
        return tuple(record for record in self.records if record.status is Status.FAILED)

    @property
    def exit_code(self) -> int:
        """0 all done, 1 something failed, 65 everything failed."""
        if not self.failures:
            return EXIT_DONE
        return EXIT_NO_DATA if len(self.failures) == len(self.records) else EXIT_SOME_FAILED

    def verdict(self) -> str:
        """Sentences for the end of the run: what failed and why, then the count."""
        lines = [
            f"FAILED  {record.key} ({record.step}): {record.message}"
            + (f" Details: {record.log}" if record.log else "")
            for record in self.failures
        ]
        counts = self._counts()
        if not self.failures:
            lines.append(f"synthtumour-bids finished: {counts}.")
        elif self.exit_code == EXIT_SOME_FAILED:
            lines.append(
                f"synthtumour-bids finished with failures: {counts}. "
                "Run the same command again to retry what failed; the rest is kept."
            )
        else:
            lines.append(f"synthtumour-bids could use none of the scans: {counts}.")
        return "\n".join(lines)

    def _counts(self) -> str:
        """How many scans ended how, whatever the number of their steps, and each common step."""
        scans = _worst((record.key, record) for record in self.records if record.of_scan)
        steps = _worst((record.step, record) for record in self.records if not record.of_scan)
        parts = []
        if scans or not steps:
            numbers = Counter(scans.values())
            states = [f"{numbers[s]} {_WORDS[s]}" for s in _WORDS if numbers[s]] or ["none to do"]
            noun = "scan" if len(scans) == 1 else "scans"
            parts.append(f"{len(scans)} {noun}: {', '.join(states)}")
        parts += [f"{step} {_WORDS[status]}" for step, status in steps.items()]
        return "; ".join(parts)


_WORDS = {Status.DONE: "done", Status.SKIPPED: "already done", Status.FAILED: "failed"}


def _worst(records: Iterable[tuple[str, ScanOutcome]]) -> dict[str, Status]:
    """The status of each name: failed where one record failed, already done where all were."""
    order = (Status.SKIPPED, Status.DONE, Status.FAILED)
    worst: dict[str, Status] = {}
    for name, record in records:
        worst[name] = max(worst.get(name, record.status), record.status, key=order.index)
    return worst
