"""Where nothing may be mounted, writes fail as on a disk that is full or read-only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.faults.harness import ROOT
from tests.system.faults.kinds import KINDS, Run, faulty_disk

WRITE = """
import sys
from pathlib import Path
from synthtumour_bids.execution.disk import disk_advice
from synthtumour_bids.files import write_once, write_text
for write in (write_text, write_once):
    try:
        write(Path(sys.argv[1]) / write.__name__, "whole")
        print("written")
    except OSError as error:
        print(disk_advice(error))
"""


@pytest.mark.parametrize(
    ("kind", "advice"),
    [("writes fail: disk full", "Make room"), ("writes fail: read-only", "read-only")],
)
def test_writes_fail_while_the_fault_lasts_and_leave_nothing(
    tmp_path: Path, kind: str, advice: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()

    def said(run: Run) -> list[str]:
        command = [sys.executable, "-c", WRITE, str(out)]
        variables = {**os.environ, **run.environment}
        ended = subprocess.run(
            command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True
        )
        return ended.stdout.splitlines()

    with faulty_disk(Run((), out, tmp_path / "work", tmp_path / "scan")) as run:
        cure = KINDS[kind].inflict(run, None)
        sentences = said(run)
        assert len(sentences) == 2
        assert all(advice in sentence for sentence in sentences)
        assert list(out.iterdir()) == []
        cure()
        assert said(run) == ["written", "written"]
