"""Entry point of ``synthtumour-bids`` and ``python -m synthtumour_bids``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from synthtumour_bids.cli.parser import parse_settings
from synthtumour_bids.errors import EXIT_DONE
from synthtumour_bids.execution.ending import exit_code
from synthtumour_bids.execution.logs import last_words, start_logging


def main(argv: Sequence[str] | None = None) -> int:
    """Run the app.

    Parameters
    ----------
    argv
        Arguments without the program's name; those of the process where left out.

    Returns
    -------
    Exit code: see :mod:`synthtumour_bids.errors`. The last words on standard error are made
    from the same value.
    """
    return exit_code("synthtumour-bids", lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    settings = parse_settings(argv)
    # Threads and caches must be settled before ants or torch are imported.
    from synthtumour_bids.app import run

    start_logging(settings.verbosity)
    outcome = run(settings)
    if outcome is None:
        return EXIT_DONE
    last_words(outcome.verdict(), logging.ERROR if outcome.failures else logging.INFO)
    return outcome.exit_code


if __name__ == "__main__":
    sys.exit(main())
