from __future__ import annotations

from synthtumour_bids.errors import EXIT_DONE, EXIT_NO_DATA, EXIT_SOME_FAILED
from synthtumour_bids.execution.outcome import Outcome, ScanOutcome, Status

DONE, SKIPPED, FAILED = Status.DONE, Status.SKIPPED, Status.FAILED


def scans(step: str, *states: Status) -> list[ScanOutcome]:
    return [ScanOutcome(f"raw/sub-{n:02d}", step, state) for n, state in enumerate(states)]


def test_a_scan_counts_once_whatever_its_steps() -> None:
    records = [
        *scans("preprocess", *[DONE] * 12, FAILED),
        ScanOutcome("junior", "train", DONE, of_scan=False),
        ScanOutcome("senior", "train", DONE, of_scan=False),
        *scans("segment", *[DONE] * 5),
        *scans("report", *[DONE] * 12),
    ]
    outcome = Outcome(tuple(records))
    assert outcome.exit_code == EXIT_SOME_FAILED
    assert "with failures: 13 scans: 12 done, 1 failed; train done. Run" in outcome.verdict()


def test_a_scan_that_failed_in_one_step_failed() -> None:
    records = (*scans("preprocess", DONE, DONE), *scans("segment", DONE, FAILED))
    assert "2 scans: 1 done, 1 failed" in Outcome(records).verdict()


def test_what_was_there_already_is_told_apart() -> None:
    records = (*scans("preprocess", SKIPPED, SKIPPED, SKIPPED), *scans("segment", DONE, SKIPPED))
    outcome = Outcome(records)
    assert outcome.exit_code == EXIT_DONE
    assert outcome.verdict() == "synthtumour-bids finished: 3 scans: 1 done, 2 already done."


def test_steps_for_all_scans_are_told_by_name() -> None:
    records = (
        ScanOutcome("stage_one", "synthesise", SKIPPED, of_scan=False),
        ScanOutcome("junior", "train", DONE, of_scan=False),
        ScanOutcome("senior", "train", FAILED, "because", of_scan=False),
    )
    verdict = Outcome(records).verdict()
    assert "FAILED  senior (train): because" in verdict
    assert "with failures: synthesise already done; train failed." in verdict


def test_nothing_to_do_and_nothing_usable() -> None:
    assert Outcome().verdict() == "synthtumour-bids finished: 0 scans: none to do."
    none = Outcome(tuple(scans("preprocess", FAILED)))
    assert none.exit_code == EXIT_NO_DATA
    assert none.verdict().endswith("could use none of the scans: 1 scan: 1 failed.")
