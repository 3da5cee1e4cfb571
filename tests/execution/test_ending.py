"""Whatever a command meets becomes last words and a documented exit code."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from synthtumour_bids.errors import (
    EXIT_INTERNAL,
    EXIT_NO_DATA,
    EXIT_STOPPED,
    EXIT_UNAVAILABLE,
    DataError,
    StoppedError,
)
from synthtumour_bids.execution.ending import exit_code


def stopped_while_cleaning_up() -> Exception:
    error = ValueError("half a file")
    error.__context__ = KeyboardInterrupt()
    return error


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (StoppedError(), EXIT_STOPPED, "Stopped. What is done is kept"),
        (KeyboardInterrupt(), EXIT_STOPPED, "Stopped. What is done is kept"),
        (stopped_while_cleaning_up(), EXIT_STOPPED, "Stopped. What is done is kept"),
        (DataError("Nothing there."), EXIT_NO_DATA, "any: error: Nothing there."),
        (OSError(errno.ENOSPC, "full"), EXIT_UNAVAILABLE, "Make room"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/out/logs"),
            EXIT_UNAVAILABLE,
            "any: error: /out/logs may not be read or written (Permission denied).",
        ),
        (MemoryError(), EXIT_UNAVAILABLE, "any: error: memory ran out"),
        (KeyError("x"), EXIT_INTERNAL, "any: internal error"),
        (BrokenPipeError(), EXIT_INTERNAL, "any: internal error"),  # of a process that died
    ],
)
def test_errors_end_as_documented(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    words: str,
) -> None:
    def work() -> int:
        raise error

    monkeypatch.setattr("sys.stdout", None)
    assert exit_code("any", work) == code
    said = capsys.readouterr().err
    assert words in said
    assert ("Traceback" in said) is (code == EXIT_INTERNAL)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize(
    ("work", "code"),
    [
        ("say('word ' * 99_999) or 0", 0),
        ("say('word') or 1", 1),
        ("last_words('some failed') or 1", 1),
        ("build_parser().parse_args(['--no-such-flag'])", 2),
        ("int('no number')", 70),
    ],
)
def test_a_pipe_that_nobody_reads_changes_no_exit_code(stream: str, work: str, code: int) -> None:
    program = (
        "import sys\n"
        "from synthtumour_bids.cli.parser import build_parser\n"
        "from synthtumour_bids.execution.ending import exit_code\n"
        "from synthtumour_bids.execution.logs import last_words\n"
        "from synthtumour_bids.execution.streams import say\n"
        f"sys.exit(exit_code('any', lambda: {work}))"
    )
    reading, writing = os.pipe()
    os.close(reading)
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: writing}
    try:
        done = subprocess.run([sys.executable, "-c", program], **streams)  # type: ignore[call-overload]
    finally:
        os.close(writing)
    assert done.returncode == code
