from __future__ import annotations

import fcntl
import logging
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from synthtumour_bids.execution.progress import Progress, describe_seconds

SCRIPT = """
import logging, sys
from pathlib import Path
from synthtumour_bids.execution.logs import open_run_log, start_logging
from synthtumour_bids.execution.progress import Progress
from synthtumour_bids.settings import Settings
settings = Settings(Path("in"), Path(sys.argv[1]))
start_logging(settings.verbosity)
open_run_log(settings)
with Progress("Working", 3) as progress:
    for name in ("one", "two", "three"):
        progress.advance(name)
        if name == "two":
            logging.getLogger("synthtumour_bids").warning("Look out.")
"""


def run_on_terminal(folder: Path, rows: int, columns: int) -> tuple[str, list[str]]:
    """Give what a terminal of this size shows, and the messages of the run's log file."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    command = [sys.executable, "-c", SCRIPT, str(folder)]
    with subprocess.Popen(command, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                chunk = os.read(ours, 4096)
            except OSError:  # Linux's way to say that the other end is closed
                break
            if not chunk:
                break
            shown += chunk
    os.close(ours)
    assert process.returncode == 0
    (log,) = folder.glob("logs/*/synthtumour.log")
    lines = log.read_text().splitlines()
    return shown.decode(), [re.split(r"INFO |WARNING ", line)[-1] for line in lines]


def check_log(messages: list[str]) -> None:
    assert [message.split(",")[0] for message in messages] == [
        "Working 1/3 one",
        "Working 2/3 two",
        "Look out.",
        "Working 3/3 three",
    ]
    assert re.search(r", .* (each|a second), about 0 s left$", messages[0])


def test_a_terminal_has_a_bar_and_the_log_file_every_line(tmp_path: Path) -> None:
    shown, messages = run_on_terminal(tmp_path, 24, 80)
    check_log(messages)
    assert "Working: " in shown
    assert "3/3" in shown or "2/3" in shown
    assert "INFO Working" not in shown
    assert "WARNING Look out." in shown


def test_a_terminal_without_size_has_plain_lines(tmp_path: Path) -> None:
    shown, messages = run_on_terminal(tmp_path, 0, 0)
    check_log(messages)
    for line in ("INFO Working 1/3 one", "INFO Working 2/3 two", "INFO Working 3/3 three"):
        assert line in shown


def test_lines_tell_rate_and_time_left(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("synthtumour_bids"), "propagate", True)
    monkeypatch.setattr(logging.getLogger("synthtumour_bids"), "handlers", [])
    clock = iter([100.0, 140.0, 180.0, 181.0])
    monkeypatch.setattr("synthtumour_bids.execution.progress.time.monotonic", lambda: next(clock))
    with caplog.at_level(logging.INFO, "synthtumour_bids"), Progress("Scan", 3) as progress:
        for name in ("one", "two", "three"):
            progress.advance(name)
    assert [record.message for record in caplog.records] == [
        "Scan 1/3 one, 40 s each, about 80 s left",
        "Scan 2/3 two, 40 s each, about 40 s left",
        "Scan 3/3 three",
    ]


def test_steps_that_are_reached_are_lines_as_well(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("synthtumour_bids"), "propagate", True)
    monkeypatch.setattr(logging.getLogger("synthtumour_bids"), "handlers", [])
    with caplog.at_level(logging.INFO, "synthtumour_bids"), Progress("Epoch", 9) as progress:
        progress.reach(4, "loss 0.5")
    assert [record.message for record in caplog.records] == ["Epoch 4/9: loss 0.5"]


def test_the_rate_is_that_of_this_run(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("synthtumour_bids"), "propagate", True)
    monkeypatch.setattr(logging.getLogger("synthtumour_bids"), "handlers", [])
    clock = iter([0.0, 5.0, 25.0])
    monkeypatch.setattr("synthtumour_bids.execution.progress.time.monotonic", lambda: next(clock))
    with caplog.at_level(logging.INFO, "synthtumour_bids"), Progress("Step", 1000) as progress:
        progress.come_to(500)  # where an earlier run had ended
        progress.come_to(510)
    assert [record.message for record in caplog.records] == [
        "Step 500/1000",
        "Step 510/1000, 2 s each, about 16 min left",
    ]


def test_long_durations_are_days() -> None:
    assert describe_seconds(47 * 3600) == "47 h 00 min"
    assert describe_seconds(30 * 86400) == "30 days"
