"""The log of a run: what is in it, and what people are told."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from synthtumour_bids.errors import StoppedError
from synthtumour_bids.execution.logs import end_logging, last_words, open_run_log, start_logging
from synthtumour_bids.settings import Settings


def test_last_words_are_said_once_and_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(tmp_path / "in", tmp_path / "out")
    start_logging(settings.verbosity)
    log = open_run_log(settings) / "synthtumour.log"
    last_words(f"error: nothing in {settings.bids_dir}\x1b[2J")
    end_logging()
    last_words("error: of another run")
    assert capsys.readouterr().err.splitlines() == [
        f"error: nothing in {settings.bids_dir}\\x1b[2J",
        "error: of another run",
    ]
    (line,) = log.read_text().splitlines()
    assert line.endswith("ERROR error: nothing in BIDS_DIR\\x1b[2J")


def test_what_was_said_before_the_log_was_open_is_in_it(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "in", tmp_path / "out")
    logger = logging.getLogger("synthtumour_bids")
    start_logging(settings.verbosity)
    logger.warning("%s is left out", settings.bids_dir)
    log = open_run_log(settings) / "synthtumour.log"
    logger.info("begun")
    end_logging()
    before, after = log.read_text().splitlines()
    assert before.endswith("WARNING BIDS_DIR is left out")
    assert after.endswith("INFO begun")


def test_a_log_that_cannot_be_written_disturbs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(tmp_path / "in", tmp_path / "out")
    start_logging(settings.verbosity)
    open_run_log(settings)
    logger = logging.getLogger("synthtumour_bids")
    handler = next(one for one in logger.handlers if isinstance(one, logging.FileHandler))
    handler.stream.close()
    handler.stream = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115 - it closes it
    logger.info("still running")
    shown = capsys.readouterr().err
    end_logging()
    assert "still running" in shown
    assert "Logging error" not in shown


def test_a_stop_that_falls_into_a_log_line_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(tmp_path / "in", tmp_path / "out")
    start_logging(settings.verbosity)
    open_run_log(settings)

    def stopped(*_: object) -> str:
        raise StoppedError("received SIGTERM")

    monkeypatch.setattr(logging.Formatter, "format", stopped)
    try:
        with pytest.raises(StoppedError):
            logging.getLogger("synthtumour_bids").info("a line")
    finally:
        end_logging()
