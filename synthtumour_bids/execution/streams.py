"""Standard output and error as they may be: closed, in another encoding, or read by nobody."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO


def settle_streams() -> None:
    """Make words reach the user whatever the streams are: closed, or in another encoding."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, _nowhere())
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """Print to standard output at once; whoever reads it may have read enough, as ``head`` does."""
    with suppress(BrokenPipeError):
        print(text, flush=True)


def leave_streams() -> None:
    """Drop what cannot be written any more: Python would change the exit code for it."""
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except (OSError, ValueError):  # a pipe that nobody reads, a full disk; or closed
            setattr(sys, name, _nowhere())


def _nowhere() -> TextIO:
    """A stream that swallows words, as long as the process lives."""
    return Path(os.devnull).open("w", encoding="utf-8")
