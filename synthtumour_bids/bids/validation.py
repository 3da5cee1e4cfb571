"""The official BIDS validator, run on the input where it is installed."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

LOGGER = logging.getLogger(__name__)
VALIDATOR = "bids-validator-deno"
TIME_LIMIT = 300  # seconds


def find_validator() -> str | None:
    """Path of the validator's program, ``None`` where it is not installed."""
    beside = Path(sys.executable).with_name(VALIDATOR)
    return str(beside) if beside.is_file() else shutil.which(VALIDATOR)


def input_errors(dataset: Path) -> dict[str, int]:
    """Count the validator's errors by their code.

    Returns
    -------
    Empty for a valid dataset, and where the validator is missing or cannot say anything; the
    log tells which.
    """
    program = find_validator()
    if program is None:
        LOGGER.info("%s is not installed: the input is not validated.", VALIDATOR)
        return {}
    command = [program, "--ignoreWarnings", "--format", "json", str(dataset)]
    try:
        result = subprocess.run(  # noqa: S603 - a fixed program on the user's own folder
            command, capture_output=True, text=True, timeout=TIME_LIMIT, check=False
        )
        issues = json.loads(result.stdout)["issues"]["issues"]
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError) as error:
        LOGGER.warning("%s could not check %s (%s).", VALIDATOR, dataset, error)
        return {}
    return dict(Counter(issue["code"] for issue in issues if issue["severity"] == "error"))


def warn_of_input_errors(dataset: Path) -> None:
    """Say what the validator finds; the app goes on with the scans it can read."""
    errors = input_errors(dataset)
    if errors:
        found = ", ".join(f"{code} ({count})" for code, count in sorted(errors.items()))
        LOGGER.warning(
            "%s is not valid BIDS: %s. Scans that can be read are used all the same; "
            "--skip-bids-validation leaves this check out.",
            dataset,
            found,
        )
