"""Whatever happens to a run, the same command brings it to the end of an undisturbed one."""

from __future__ import annotations

from pathlib import Path

import pytest

from synthtumour_bids.errors import EXIT_DONE, EXIT_STOPPED, EXIT_UNAVAILABLE
from tests.builders.finished import Finished
from tests.system.faults.harness import (
    Fault,
    finish,
    left_over,
    results,
    suffer,
)
from tests.system.faults.kinds import KINDS, Run

LABELS = ("tumour01", "tumour02")


def new_run(finished: Finished, root: Path, nprocs: int = 2) -> Run:
    out, work = root / "out", root / "work"
    command = [
        *(str(finished.bids), str(out), "participant", "--model", str(finished.out)),
        *("--participant-label", *LABELS, "--nprocs", str(nprocs), "--work-dir", str(work)),
        *("--skip-bids-validation", "--steps", "preprocess", "segment"),
    ]
    return Run(command, out, work, next(finished.bids.glob(f"sub-{LABELS[1]}/anat/*_FLAIR.nii.gz")))


def check_whole(run: Run, finished: Finished) -> None:
    made, wanted = results(run.out), results(finished.out)
    images = {name for name in made if name.endswith(".nii.gz")}
    assert len(images) > 8 * len(LABELS)
    assert {name: made[name] for name in images} == {name: wanted[name] for name in images}
    assert left_over(run) == []


@pytest.mark.slow
def test_a_run_that_is_killed_and_stopped_ends_as_if_nothing_had_been(
    finished: Finished, tmp_path: Path
) -> None:
    run = new_run(finished, tmp_path)
    for fault, code in (
        (Fault("SIGTERM", "Head template"), EXIT_STOPPED),
        (Fault("SIGKILL", "Preprocessing 1/2"), -9),
    ):
        ended = suffer(run, fault)
        assert ended.code == code, ended.words
        assert ended.orphans == ()
        assert ended.semaphores == ()
        if fault.kind == "SIGTERM":
            assert left_over(run) == []
    assert finish(run).code == EXIT_DONE
    check_whole(run, finished)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "sentence", "nprocs"),
    [
        ("disk full", "Make room for", 2),
        ("writes fail: disk full", "Make room for", 1),
        ("writes fail: read-only", "has become read-only", 1),
    ],
)
def test_a_disk_that_takes_nothing_more_stops_a_run_with_a_sentence(
    finished: Finished, tmp_path: Path, kind: str, sentence: str, nprocs: int
) -> None:
    if not KINDS[kind].possible():
        kind = f"writes fail: {kind}"
    with KINDS[kind].around(new_run(finished, tmp_path, nprocs)) as run:
        ended = suffer(run, Fault(kind, "Head template"))
        assert ended.code == EXIT_UNAVAILABLE, ended.words
        assert sentence in ended.words
        assert "Traceback" not in ended.words
        assert ended.orphans == ()
        assert left_over(run) == []
