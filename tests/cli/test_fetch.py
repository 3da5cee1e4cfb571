"""Templates are fetched beforehand, and nothing is fetched during a run."""

from __future__ import annotations

import functools
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.__main__ import main as run
from synthtumour_bids.cli.fetch import main
from synthtumour_bids.errors import EXIT_UNAVAILABLE, EXIT_USAGE
from synthtumour_bids.preprocessing.templates import load_head_template

ROOT = Path(__file__).parents[2]
NAME = "OASIS30ANTs"
HEAD = f"tpl-{NAME}_res-01_T1w.nii.gz"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A server on this machine with small images under the names of a real template."""
    folder = tmp_path / "mirror" / f"tpl-{NAME}"
    folder.mkdir(parents=True)
    data = np.random.default_rng(1).random((8, 9, 10), dtype=np.float32)
    for name in (HEAD, *brains()):
        nib.save(nib.Nifti1Image(data, np.eye(4)), folder / name)
    handler = functools.partial(Quiet, directory=str(folder.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def brains() -> list[str]:
    kinds = ("label-brain_probseg", "desc-brain_mask", "desc-BrainCerebellumExtraction_mask")
    return [f"tpl-{NAME}_res-01_{kind}.nii.gz" for kind in kinds]


def test_what_is_fetched_is_what_a_run_loads(
    mirror: tuple[Path, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, url = mirror
    home = tmp_path / "home"
    assert main([NAME, "--home", str(home), "--source", url]) == 0
    assert f"export TEMPLATEFLOW_HOME={home}" in capsys.readouterr().out
    assert sorted(path.name for path in home.iterdir()) == [f"tpl-{NAME}"]
    assert (home / f"tpl-{NAME}" / HEAD).read_bytes() == (folder / HEAD).read_bytes()
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(home))
    assert load_head_template(None).name == NAME
    # Again, and the server has not to be asked.
    assert main([NAME, "--source", "http://127.0.0.1:1"]) == 0
    assert "export" not in capsys.readouterr().out


def test_half_a_file_is_not_kept(mirror: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = mirror
    (folder / HEAD).write_bytes((folder / HEAD).read_bytes()[:-20])
    home = tmp_path / "home"
    assert main([NAME, "--home", str(home), "--source", url]) == EXIT_UNAVAILABLE
    assert list(home.iterdir()) == []


def test_offline_is_said_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    code = main([NAME, "--home", str(home), "--source", "http://127.0.0.1:1"])
    assert code == EXIT_UNAVAILABLE
    said = capsys.readouterr().err
    assert "could not be downloaded from http://127.0.0.1:1" in said
    assert f"copy its folder tpl-{NAME}" in said
    assert list(home.iterdir()) == []


def test_an_unknown_name_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["OASIS30", "--home", str(tmp_path)]) == EXIT_USAGE
    assert "Did you mean OASIS30ANTs?" in capsys.readouterr().err


def dataset(folder: Path) -> Path:
    anat = folder / "bids" / "sub-01" / "anat"
    anat.mkdir(parents=True)
    nib.save(nib.Nifti1Image(np.ones((9, 9, 9)), np.eye(4)), anat / "sub-01_FLAIR.nii.gz")
    (folder / "bids" / "participants.tsv").write_text("participant_id\tgroup\nsub-01\ttumour\n")
    return folder / "bids"


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_run_says_first_that_its_template_is_not_there(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
) -> None:
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path / "home"))
    command = [str(dataset(tmp_path)), str(tmp_path / "out"), "participant", *more]
    assert run([*command, "--skull-strip-template", NAME]) == EXIT_UNAVAILABLE
    assert f"synthtumour-fetch {NAME}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


NO_NETWORK = """
import sys

def forbid(event, details):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        with open({log!r}, "a") as log:
            log.write(f"{{event}} {{details[-1]!r}}\\n")
        raise OSError("no network in this test")

sys.addaudithook(forbid)
"""

EVERYTHING = """
import importlib, pkgutil, sys
import synthtumour_bids
for module in pkgutil.walk_packages(synthtumour_bids.__path__, "synthtumour_bids."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from synthtumour_bids.preprocessing.templates import load_head_template, standard_tissues
load_head_template(None)
standard_tissues(4.0)
assert "templateflow" not in sys.modules
from synthtumour_bids.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_run_never_asks_the_network(tmp_path: Path) -> None:
    log = tmp_path / "network.log"
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK.format(log=str(log)))
    environment = {key: value for key, value in os.environ.items() if key != "TEMPLATEFLOW_HOME"}
    environment["PYTHONPATH"] = f"{tmp_path}:{ROOT}"
    # The hook is in place and is heard.
    check = "import urllib.request; urllib.request.urlopen('http://templateflow.org')"
    refused = subprocess.run([sys.executable, "-c", check], env=environment, capture_output=True)
    assert b"no network in this test" in refused.stderr
    assert "getaddrinfo" in log.read_text()
    log.unlink()
    command = [str(dataset(tmp_path)), str(tmp_path / "out"), "participant", "--dry-run"]
    command += ["--steps", "preprocess", "segment", "report"]  # one scan trains nothing
    done = subprocess.run(
        [sys.executable, "-c", EVERYTHING, *command], env=environment, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    assert not log.exists()
