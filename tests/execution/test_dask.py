"""The per-scan work on a real Dask scheduler with real workers."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
import pytest

from synthtumour_bids.__main__ import main
from synthtumour_bids.errors import (
    EXIT_STOPPED,
    EXIT_UNAVAILABLE,
    UnavailableError,
)
from synthtumour_bids.execution.cluster import Cluster
from synthtumour_bids.execution.cluster_checks import check_worker_versions
from synthtumour_bids.execution.pool import KILLED, map_items
from tests.builders.dask_jobs import (
    be_killed,
    kill_worker_always,
    kill_worker_once,
    sleep_long,
    square_or_fail,
    square_slowly,
    tell_environment,
    values,
)
from tests.builders.measured import measured

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PATIENCE = 300.0


@dataclass
class RealCluster:
    """A scheduler and its workers, each a process; coverage traces the workers where it is told."""

    folder: Path
    measured: bool = False
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "scheduler.json"

    @property
    def cluster(self) -> Cluster:
        return Cluster(str(self.file), self.folder / "work", (self.folder,), patience=PATIENCE)

    def start(self, kind: str, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        traced = self.measured and kind == "worker"
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", kind, *options, "--scheduler-file", str(self.file)],
            cwd=self.folder,
            env=(measured() if traced else dict(os.environ))
            | {"PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
            | environment,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / f"{kind}-{len(self.processes)}.log").open("wb"),
        )
        self.processes.append(process)
        return process

    def scheduler(self) -> subprocess.Popen[bytes]:
        process = self.start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        until(self.file.is_file)
        return process

    def worker(self, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        common = ("--host", "127.0.0.1", "--no-dashboard", "--nthreads", "1", "--lifetime", "30m")
        return self.start("worker", *common, *options, **environment)

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def until(condition: Callable[[], object], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@contextmanager
def running(folder: Path, n_workers: int, *, measured: bool = False) -> Iterator[RealCluster]:
    real = RealCluster(folder, measured)
    try:
        real.scheduler()
        for _ in range(n_workers):
            real.worker()
        yield real
    finally:
        real.stop()


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCluster]:
    with running(tmp_path_factory.mktemp("dask"), n_workers=2, measured=True) as cluster:
        yield cluster


def test_the_same_results_as_here_in_the_same_order(
    real: RealCluster, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="synthtumour_bids"):
        there = map_items(square_or_fail, [1, 2, 3, 4], cluster=real.cluster, label="Squaring")
    here = map_items(square_or_fail, [1, 2, 3, 4])
    assert values(there) == values(here) == [1, 4, None, 16]
    assert there[2].error == here[2].error == "three cannot be used"
    assert "DataError" in there[2].trace
    # What workers log and how far the work is comes out here.
    assert {f"squaring {number}" for number in (1, 2, 3, 4)} <= set(caplog.messages)
    assert any(message.startswith("Squaring 4/4") for message in caplog.messages)
    assert list((real.folder / "work").iterdir()) == []


def test_long_items_end_well(real: RealCluster) -> None:
    assert values(map_items(square_slowly, [1, 2], cluster=real.cluster)) == [1, 4]


def test_threads_and_templates_are_those_of_the_run(
    real: RealCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path))
    names = ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "OMP_NUM_THREADS", "TEMPLATEFLOW_HOME"]
    results = map_items(tell_environment, names, cluster=replace(real.cluster, omp_nthreads=3))
    assert values(results) == ["3", "3", str(tmp_path)]
    monkeypatch.delenv("TEMPLATEFLOW_HOME")
    assert values(map_items(tell_environment, names[2:], cluster=real.cluster)) == [None]


def test_stop_on_failure_gives_up_the_rest(real: RealCluster) -> None:
    results = map_items(square_or_fail, [3], cluster=real.cluster, stop_on_failure=True)
    assert len(results) == 1


def test_an_item_that_is_killed_fails_alone(real: RealCluster) -> None:
    results = map_items(be_killed, [1, 2, 3, 4], cluster=real.cluster)
    assert values(results) == [1, 4, None, 16]
    assert results[2].error == KILLED


def test_a_worker_that_dies_loses_no_result(real: RealCluster, tmp_path: Path) -> None:
    items = [(number, tmp_path) for number in range(6)]
    results = map_items(kill_worker_once, items, cluster=real.cluster)
    assert values(results) == [0, 1, 4, 9, 16, 25]
    assert len(list(tmp_path.glob("1-*"))) == 2


def test_an_item_that_kills_its_workers_fails_alone(real: RealCluster) -> None:
    results = map_items(kill_worker_always, [0, 1, 2, 3], cluster=real.cluster)
    assert values(results) == [0, None, 4, 9]
    assert "workers that ran it died" in results[1].error


def test_folders_that_workers_do_not_see_are_named(real: RealCluster, tmp_path: Path) -> None:
    # A worker in a mount namespace of its own has an empty folder where this process works.
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "scans").mkdir()
    mount = f"mount -t tmpfs none {hidden} && exec "
    with running(tmp_path, n_workers=0) as cluster:
        worker = [sys.executable, "-m", "dask", "worker", "--scheduler-file", str(cluster.file)]
        options = ["--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard", "--no-nanny"]
        command = mount + " ".join([*worker, *options])
        cluster.processes.append(
            subprocess.Popen(
                ["unshare", "--mount", "--map-root-user", "sh", "-c", command],
                cwd=tmp_path,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stderr=subprocess.DEVNULL,
            )
        )
        seen = cluster.cluster
        with pytest.raises(UnavailableError, match=rf"does not see the work folder {hidden}"):
            replace(seen, work_dir=hidden).check()
        with pytest.raises(UnavailableError, match=rf"does not see {hidden}/scans"):
            replace(seen, paths=(hidden / "scans",)).check()
        seen.check()


def test_another_version_on_a_worker_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "site" / "synthtumour_bids-99.0.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: synthtumour-bids\nVersion: 99.0")
    with running(tmp_path, n_workers=0) as cluster:
        cluster.worker("--no-nanny", PYTHONPATH=f"{other.parent}:{ROOT}")
        with pytest.raises(UnavailableError, match=r"has synthtumour-bids 99\.0, but this run has"):
            cluster.cluster.check()


def test_another_python_on_a_worker_is_refused() -> None:
    ours = {"Python": "3.11", "synthtumour-bids": "0.1.0"}
    check_worker_versions("tcp://one", ours, dict(ours))
    with pytest.raises(UnavailableError, match=r"tcp://one has Python 3\.12.* has Python 3\.11"):
        check_worker_versions("tcp://one", ours, {**ours, "Python": "3.12"})


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_no_scheduler_is_said_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    anat = tmp_path / "bids" / "sub-01" / "anat"
    anat.mkdir(parents=True)
    (anat / "sub-01_FLAIR.nii.gz").touch()
    (tmp_path / "bids" / "dataset_description.json").write_text(
        '{"Name": "x", "BIDSVersion": "1.10.0"}'
    )
    (tmp_path / "bids" / "participants.tsv").write_text("participant_id\tgroup\nsub-01\ttumour\n")
    address = f"tcp://127.0.0.1:{free_port()}"
    began = time.monotonic()
    code = main(
        [
            *(str(tmp_path / "bids"), str(tmp_path / "out"), "participant"),
            *("--dask-scheduler", address, "--work-dir", str(tmp_path / "work")),
            *("--steps", "preprocess"),
        ]
    )
    assert code == EXIT_UNAVAILABLE
    assert time.monotonic() - began < 120  # 11 s on a machine that is not busy
    assert f"--dask-scheduler {address}: no Dask scheduler answered" in capsys.readouterr().err


def test_something_else_at_the_address_is_no_scheduler(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(UnavailableError, match="no Dask scheduler answered"):
            Cluster(address, tmp_path).check()
    for wrong in ("nonsense://host:1", "tcp://no-such-host.invalid:8786"):
        with pytest.raises(UnavailableError, match="no Dask scheduler answered"):
            Cluster(wrong, tmp_path).check()
    with pytest.raises(UnavailableError, match="no such scheduler file"):
        Cluster(str(tmp_path / "none.json"), tmp_path).check()


def test_no_workers_is_said_after_a_while(tmp_path: Path) -> None:
    with (
        running(tmp_path, n_workers=0) as cluster,
        pytest.raises(UnavailableError, match="had no workers for 1 s"),
    ):
        replace(cluster.cluster, patience=1.0).check()


def test_a_cluster_that_goes_away_ends_the_run(tmp_path: Path) -> None:
    began = tmp_path / "began"
    began.mkdir()
    with running(tmp_path, n_workers=1) as cluster:
        scheduler = cluster.processes[0]

        def kill_when_begun() -> None:
            until(lambda: list(began.iterdir()))
            scheduler.kill()

        killer = threading.Thread(target=kill_when_begun)
        killer.start()
        with pytest.raises(UnavailableError, match=r"went away.*same command again"):
            map_items(sleep_long, [(1, began), (2, began)], cluster=cluster.cluster)
        killer.join()


def test_workers_that_all_go_away_end_the_run(tmp_path: Path) -> None:
    began = tmp_path / "began"
    began.mkdir()
    with running(tmp_path, n_workers=1) as cluster:
        worker = cluster.processes[1]
        cluster.cluster.check()  # waits until the worker is there

        def kill_when_begun() -> None:
            until(lambda: list(began.iterdir()))
            worker.terminate()

        killer = threading.Thread(target=kill_when_begun)
        killer.start()
        with pytest.raises(UnavailableError, match="had no workers for 1 s"):
            map_items(sleep_long, [(1, began)], cluster=replace(cluster.cluster, patience=1.0))
        killer.join()
        until(lambda: not any(psutil.pid_exists(int(path.name)) for path in began.iterdir()))


IN_ANOTHER_PROCESS = """
import signal, sys
from pathlib import Path
from synthtumour_bids.errors import StoppedError
from synthtumour_bids.execution.cluster import Cluster
from synthtumour_bids.execution.pool import map_items
from synthtumour_bids.execution.stopping import stop_by_exception
from tests.builders.dask_jobs import sleep_long

folder = Path(sys.argv[2])
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore it
try:
    items = [(number, folder / "began") for number in range(5)]
    with stop_by_exception():
        map_items(sleep_long, items, cluster=Cluster(sys.argv[1], folder / "work"))
except (StoppedError, KeyboardInterrupt):
    sys.exit(75)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_stops_its_work(
    real: RealCluster, tmp_path: Path, number: signal.Signals
) -> None:
    began = tmp_path / "began"
    began.mkdir()
    run = subprocess.Popen(
        [sys.executable, "-c", IN_ANOTHER_PROCESS, str(real.file), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    until(lambda: len(list(began.iterdir())) == 2)
    run.send_signal(number)
    assert run.wait(timeout=300) == EXIT_STOPPED
    until(lambda: not any(psutil.pid_exists(int(path.name)) for path in began.iterdir()))
    assert len(list(began.iterdir())) == 2
    assert values(map_items(square_or_fail, [5], cluster=real.cluster)) == [25]
