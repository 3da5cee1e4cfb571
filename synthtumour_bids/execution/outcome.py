"""What became of the work: one record a scan and step, and the run's verdict made of them."""

from __future__ import annotations

from collections.abc import Sequence
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
    """How one step ended for one scan (or for the cohort, with the step's own name as key)."""

    key: str
    step: str
    status: Status
    message: str = ""
    log: str = ""


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
        done = sum(record.status is Status.DONE for record in self.records)
        skipped = sum(record.status is Status.SKIPPED for record in self.records)
        counts = f"{done} done, {skipped} already done, {len(self.failures)} failed"
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


def merge(*parts: Sequence[ScanOutcome]) -> Outcome:
    """Join the records of several steps."""
    return Outcome(tuple(record for part in parts for record in part))
