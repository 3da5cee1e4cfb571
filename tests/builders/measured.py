"""Which processes coverage traces: tracing takes as long again as what Python does by itself.

Processes of pools and trainings are traced from their first work on, and not while they import;
commands that tests start are not: what they run is run in the tests' own processes, too.
"""

from __future__ import annotations

import os

# Where it is set, coverage traces a Python from its very start.
VARIABLE = "COVERAGE_PROCESS_CONFIG"
_SETTINGS = {name: value for name, value in os.environ.items() if name == VARIABLE}


def measured() -> dict[str, str]:
    """Variables of a command that is traced, as nothing but it runs some of the package's lines."""
    return {**os.environ, **_SETTINGS}
