"""A home folder for users whom a machine knows by a number alone."""

from __future__ import annotations

import os
from pathlib import Path


def settle_home() -> None:
    """Let libraries ask for the home folder where there is none: it is the root, as in Docker."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = "/"
