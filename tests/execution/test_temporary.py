"""The temporary folder of a run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from synthtumour_bids.execution import temporary
from synthtumour_bids.execution.temporary import sockets_fit, temporary_folder

ROOT = Path(__file__).resolve().parents[2]


def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path) -> None:
    with temporary_folder(tmp_path / "work") as folder:
        handle, name = tempfile.mkstemp()
        os.close(handle)
        assert Path(name).parent == folder
    assert not list((tmp_path / "work").iterdir())
    assert tempfile.gettempdir() != str(folder)


def test_caches_move_where_their_folders_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    unusable, usable = str(tmp_path / "file" / "torch"), str(tmp_path / "matplotlib")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", unusable)
    monkeypatch.setenv("MPLCONFIGDIR", usable)
    with temporary_folder(tmp_path / "work") as folder:
        assert Path(os.environ["TORCHINDUCTOR_CACHE_DIR"]).parent == folder
        assert os.environ["MPLCONFIGDIR"] == usable
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == unusable


def test_batches_of_other_processes_arrive_however_deep_the_work_folder_is(tmp_path: Path) -> None:
    """A tensor travels over a socket in the temporary folder, whose path may not be long."""
    deep = tmp_path.joinpath(*["a-folder-of-a-cluster-user"] * 4)
    code = (
        "import sys, torch\n"
        "from torch.utils.data import DataLoader\n"
        "from synthtumour_bids.execution.temporary import temporary_folder\n"
        "from pathlib import Path\n"
        "if __name__ == '__main__':\n"
        "    with temporary_folder(Path(sys.argv[1])) as folder:\n"
        "        loader = DataLoader([torch.ones(9)] * 3, num_workers=1, timeout=30)\n"
        "        print(len(list(loader)), folder)\n"
    )
    command = [sys.executable, "-c", code, str(deep)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    count, folder = result.stdout.split()
    assert count == "3"
    assert list(deep.iterdir()) == []
    assert not os.path.lexists(folder)


def test_without_a_short_place_it_is_said_and_no_socket_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(temporary, "SHORT_PLACES", (tmp_path / "nowhere",))
    with temporary_folder(tmp_path / ("deep" * 20)) as folder:
        assert folder.is_dir()
        assert not sockets_fit()
    assert "--work-dir" in caplog.text
