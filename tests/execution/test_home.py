"""A user without a home folder, as one whom a container knows by a number alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from synthtumour_bids.errors import EXIT_DONE, EXIT_USAGE
from tests.builders.datasets import make

ASKED = ("HOME", "TEMPLATEFLOW_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR")


def homeless(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = (
        "import pwd, sys\n"
        "def unknown(_): raise KeyError\n"
        "pwd.getpwuid = unknown\n"
        f"from {module} import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ASKED}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("what", ["--dry-run", "--boilerplate-only"])
def test_a_run_needs_no_home(tmp_path: Path, what: str) -> None:
    bids = make(tmp_path / "bids", "sub-01_FLAIR.nii.gz")
    command = [str(bids), str(tmp_path / "out"), "participant", "--model", "starter", what]
    done = homeless("synthtumour_bids.__main__", *command)
    assert done.returncode == EXIT_DONE, done.stderr


def test_fetching_needs_none_to_be_asked(tmp_path: Path) -> None:
    assert homeless("synthtumour_bids.cli.fetch", "no-such-template").returncode == EXIT_USAGE
