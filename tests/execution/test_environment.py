"""Machines as they are: short pipes, closed streams, other encodings, full disks, no /dev/shm."""

from __future__ import annotations

import errno
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from synthtumour_bids.errors import EXIT_NO_DATA, UnavailableError
from synthtumour_bids.execution.pool import map_items
from synthtumour_bids.execution.temporary import temporary_folder
from tests.builders.datasets import make, table
from tests.builders.jobs import write_networks

ROOT = Path(__file__).parents[2]


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """A run over scans that are no images, with networks that nothing is segmented with."""
    bids = make(tmp_path / "bids", *(f"sub-{n:02d}_FLAIR.nii.gz" for n in range(1, 40)))
    table(bids, *(f"sub-{n:02d}\ttumour" for n in range(1, 40)))
    models = write_networks(tmp_path / "models")
    out = tmp_path / "out"
    options = ["--skip-bids-validation", "--model", str(models), "--steps", "preprocess"]
    options += ["--nprocs", "1"]
    return [sys.executable, "-m", "synthtumour_bids", str(bids), str(out), "participant", *options]


def test_a_reader_that_has_read_enough_is_no_failure(command: list[str]) -> None:
    run = subprocess.Popen(
        [*command, "--dry-run"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert run.stdout is not None
    assert run.stderr is not None
    run.stdout.close()
    words = run.stderr.read()
    assert run.wait() == 0
    assert "Traceback" not in words


def test_a_closed_stderr_is_no_failure_of_its_own(command: list[str]) -> None:
    closed = subprocess.run(["sh", "-c", 'exec "$@" 2>&-', "sh", *command], cwd=ROOT, check=False)
    assert closed.returncode == EXIT_NO_DATA  # the files are no images


def test_sentences_survive_an_encoding_without_their_characters(
    command: list[str], tmp_path: Path
) -> None:
    ran = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        check=False,
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    )
    assert ran.returncode == EXIT_NO_DATA
    assert b"Traceback" not in ran.stderr
    (log,) = (tmp_path / "out" / "logs").glob("*/synthtumour.log")
    assert log.read_text(encoding="utf-8")


def full(_: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def wrapped(_: int) -> None:
    try:
        full(0)
    except OSError as error:
        raise ValueError("the picture could not be written") from error


@pytest.mark.parametrize("function", [full, wrapped])
@pytest.mark.parametrize("nprocs", [1, 2])
def test_a_full_disk_ends_the_run(function, nprocs: int) -> None:
    with pytest.raises(UnavailableError, match=r"Make room .* or name another --work-dir"):
        map_items(function, [1, 2, 3], nprocs=nprocs)


def double(number: int) -> int:
    return 2 * number


def test_without_shared_memory_one_process_does_the_work(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(multiprocessing.get_context("spawn"), "Lock", refuse)
    with caplog.at_level("WARNING", logger="synthtumour_bids"):
        results = map_items(double, [1, 2, 3], nprocs=2)
    assert [result.value for result in results] == [2, 4, 6]


def test_matplotlib_has_a_folder_where_home_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").write_text("no folder")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    with temporary_folder(tmp_path / "work") as folder:
        assert Path(os.environ["MPLCONFIGDIR"]).is_relative_to(folder)
    assert "MPLCONFIGDIR" not in os.environ


def test_pictures_are_drawn_into_files_whatever_jupyter_has_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", "module://a_backend.of_a_notebook")
    command = [sys.executable, "-c", "import matplotlib as mpl; print(mpl.get_backend())"]
    with temporary_folder(tmp_path / "work"):
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.strip().lower() == "agg"
    assert os.environ["MPLBACKEND"] == "module://a_backend.of_a_notebook"
