"""Killed without warning again and again, a run ends as if nothing had been."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.errors import EXIT_SOME_FAILED
from tests.builders.finished import Finished

# Words of the log at which the run and all its processes are killed, one after the other.
MOMENTS = ("Stage 1 2/", "Junior epoch 2/", "Stage 2 3/", "Writing segmentations 1/")


def run_until(command: list[str], moment: str | None) -> int | None:
    """Run the app; kill it when the log says so. Its exit code, or None if it was killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.builders.short", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if moment is not None and moment in line:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return None
    return process.wait()


def check_whole(folder: Path) -> None:
    """Whatever bears its final name can be read to its end."""
    for path in folder.rglob("[!.]*.nii.gz"):
        assert np.isfinite(nib.load(path).get_fdata()).all(), path
    for path in folder.rglob("[!.]*.json"):
        json.loads(path.read_text())


@pytest.mark.slow
def test_a_run_that_is_killed_four_times_ends_as_one_that_was_not(
    finished: Finished, tmp_path: Path
) -> None:
    out, work = tmp_path / "out", tmp_path / "work"
    shutil.copytree(finished.preprocessed, out)
    command = [*finished.command("--keep-work", out=out), "--work-dir", str(work)]
    for moment in MOMENTS:
        assert run_until(command, moment) is None, f"the log never said {moment!r}"
        check_whole(out)
    # Nothing is left to train, and one process does the rest.
    assert run_until([*command, "--nprocs", "1"], None) == EXIT_SOME_FAILED  # the broken scan

    expected = sorted(finished.out.glob("sub-*/**/*_label-L*.nii.gz"))
    assert len(expected) == 4 * 5  # masks and probabilities of 4 scans
    for path in expected:
        again = nib.load(out / path.relative_to(finished.out))
        np.testing.assert_array_equal(
            np.asanyarray(again.dataobj), np.asanyarray(nib.load(path).dataobj), str(path)
        )
    hidden = {path.name for path in out.rglob(".*")}
    assert hidden == {".bidsignore", ".lock"}  # no half-written file
    assert list((out / "models").rglob("*latest*")) == []
