from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from synthtumour_bids.errors import (
    EXIT_DONE,
    EXIT_NO_DATA,
    EXIT_SOME_FAILED,
    EXIT_STOPPED,
    DataError,
    UsageError,
)
from synthtumour_bids.execution.outcome import Outcome, ScanOutcome, Status
from synthtumour_bids.execution.pool import KILLED, map_items
from synthtumour_bids.execution.progress import describe_seconds
from synthtumour_bids.execution.resources import (
    available_cores,
    parse_memory,
    processes_that_fit,
)
from synthtumour_bids.execution.workers import Workers
from synthtumour_bids.files import hash_file


def square_or_fail(number: int) -> int:
    if number == 3:
        msg = "three cannot be used"
        raise DataError(msg)
    return number * number


def square_or_die(number: int) -> int:
    if number == 3:
        os._exit(9)
    return number * number


@pytest.mark.parametrize("nprocs", [1, 2])
def test_one_bad_item_never_stops_the_others(nprocs: int) -> None:
    results = map_items(square_or_fail, [1, 2, 3, 4], nprocs=nprocs)
    assert [result.value for result in results] == [1, 4, None, 16]
    assert results[2].failed
    assert results[2].error == "three cannot be used"
    assert "DataError" in results[2].trace


def test_a_killed_worker_fails_its_own_item_alone() -> None:
    results = map_items(square_or_die, [1, 2, 3, 4], nprocs=2)
    assert [result.value for result in results] == [1, 4, None, 16]
    assert results[2].error == KILLED


def count_and_die(folder_and_number: tuple[Path, int]) -> int:
    folder, number = folder_and_number
    with (folder / str(number)).open("a") as file:
        file.write("x")
    if number == 0:
        os._exit(9)
    return os.getpid()


def test_what_nobody_had_begun_when_a_worker_died_is_done_by_all(tmp_path: Path) -> None:
    """As one whose memory ran out at the first of many scans."""
    results = map_items(count_and_die, [(tmp_path, number) for number in range(9)], nprocs=2)
    assert [result.failed for result in results] == [True] + 8 * [False]
    begun = [len((tmp_path / str(number)).read_text()) for number in range(9)]
    assert begun[0] == 2
    assert sum(begun) <= 11, "at most its neighbour is tried again, too"
    assert len({result.value for result in results[1:]}) <= 4  # alone it would be one each


def process_number(_: int) -> int:
    return os.getpid()


def test_workers_stay_from_one_map_to_the_next() -> None:
    with Workers() as workers:
        (first,) = map_items(process_number, [0], nprocs=2, workers=workers, ahead=("colorsys",))
        (again,) = map_items(process_number, [0], nprocs=2, workers=workers)
        workers.end()
        (here,) = map_items(process_number, [0], nprocs=2, workers=workers)
        assert here.value == os.getpid()
        assert not psutil.pid_exists(first.value or 0)
        died = map_items(square_or_die, [1, 3], nprocs=2, workers=workers)
        (other,) = map_items(process_number, [0], nprocs=2, workers=workers, ahead=("colorsys",))
        assert psutil.pid_exists(other.value or 0)
    assert first.value == again.value != other.value
    assert [result.value for result in died] == [1, None]
    assert not psutil.pid_exists(other.value or 0)


def slow_process_number(_: int) -> int:
    time.sleep(0.5)
    return os.getpid()


@pytest.mark.parametrize("which", [0, 1], ids=["one waits for work", "the other for its turn"])
def test_a_worker_that_was_killed_between_two_maps_costs_nothing(which: int) -> None:
    with Workers() as workers:
        them: set[int | None] = set()
        while len(them) < 2:
            them |= {one.value for one in map_items(slow_process_number, [0, 1, 2], nprocs=2,
                                                    workers=workers)}  # fmt: skip
        time.sleep(0.5)  # one holds the lock of their queue now, the other waits for it
        os.kill(sorted(map(int, filter(None, them)))[which], signal.SIGKILL)
        results = map_items(square_or_fail, [1, 2, 4], nprocs=2, workers=workers)
    assert [result.value for result in results] == [1, 4, 16]
    assert multiprocessing.active_children() == []


def test_this_process_loads_libraries_while_another_works() -> None:
    sys.modules.pop("colorsys", None)
    (result,) = map_items(process_number, [0], nprocs=2, ahead=("colorsys", "no_such_module"))
    assert result.value != os.getpid()
    assert "colorsys" in sys.modules
    (result,) = map_items(process_number, [0], nprocs=1, ahead=("colorsys",))
    assert result.value == os.getpid()


def test_stop_on_failure_gives_up_the_rest() -> None:
    results = map_items(square_or_fail, [3, 1, 2], nprocs=1, stop_on_failure=True)
    assert len(results) == 1


def test_hash_file_sees_content_not_time(tmp_path: Path) -> None:
    one, two = tmp_path / "a", tmp_path / "b"
    one.write_bytes(b"same")
    two.write_bytes(b"same")
    os.utime(two, (0, 0))
    assert hash_file(one) == hash_file(two)


def records(*states: Status) -> Outcome:
    return Outcome(
        tuple(
            ScanOutcome(f"raw/sub-{number:02d}", "preprocess", state, "because")
            for number, state in enumerate(states)
        )
    )


def test_verdict_and_exit_code_come_from_the_same_records() -> None:
    fine = records(Status.DONE, Status.SKIPPED)
    assert fine.exit_code == EXIT_DONE
    assert "2 scans: 1 done, 1 already done." in fine.verdict()
    some = records(Status.DONE, Status.FAILED)
    assert some.exit_code == EXIT_SOME_FAILED
    assert "FAILED  raw/sub-01 (preprocess): because" in some.verdict()
    assert records(Status.FAILED).exit_code == EXIT_NO_DATA
    segmented = (ScanOutcome("raw/sub-01", "segment", Status.DONE),)
    unreported = (ScanOutcome("raw/sub-01", "report", Status.FAILED, "because"),)
    assert Outcome(segmented + unreported).exit_code == EXIT_SOME_FAILED


@pytest.mark.parametrize(
    ("text", "gigabytes"), [("16G", 16), ("1.5 gb", 1.5), ("900M", 0.9), ("2T", 2000), ("8GiB", 8)]
)
def test_memory_is_read_with_its_unit(text: str, gigabytes: float) -> None:
    assert parse_memory(text) == pytest.approx(gigabytes)


@pytest.mark.parametrize("text", ["16", "G", "", "16 apples"])
def test_memory_without_unit_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="16G"):
        parse_memory(text)


def test_processes_are_limited_by_memory(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING", logger="synthtumour_bids")
    assert processes_that_fit(8, 5.0, 2.0) == 2
    assert "Only 2 of 8 processes fit in 5.0 GB" in caplog.text
    assert processes_that_fit(1, 0.5, 2.0) == 1
    assert "One process takes about 2.0 GB, and there are 0.5 GB" in caplog.text
    assert processes_that_fit(2, 100.0, 2.0) == 2


def test_cores_follow_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    assert available_cores() == 1


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "100000 100000"}, 1),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_cores_follow_the_limit_of_a_container(
    tmp_path: Path, files: dict[str, str], cores: int | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert available_cores(tmp_path) == (cores or available_cores(tmp_path / "nothing"))


def test_durations_read_like_speech() -> None:
    assert describe_seconds(40) == "40 s"
    assert describe_seconds(720) == "12 min"
    assert describe_seconds(3 * 3600 + 300) == "3 h 05 min"


def sleep_long(number: int) -> int:
    Path(os.environ["PID_FOLDER"], str(os.getpid())).touch()
    time.sleep(600)
    return number


def test_a_stopped_run_leaves_no_worker_behind(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from synthtumour_bids.errors import StoppedError\n"
        "from synthtumour_bids.execution.pool import map_items\n"
        "from synthtumour_bids.execution.stopping import stop_by_exception\n"
        "from tests.execution.test_execution import sleep_long\n"
        "if __name__ == '__main__':\n"
        "    try:\n"
        "        with stop_by_exception():\n"
        "            map_items(sleep_long, [1, 2, 3], nprocs=2)\n"
        "    except StoppedError:\n"
        "        sys.exit(75)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    pids = tmp_path / "pids"
    pids.mkdir()
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PID_FOLDER": str(pids), "PYTHONPATH": str(root)}
    run = subprocess.Popen([sys.executable, str(script)], env=environment)
    deadline = time.monotonic() + 60
    while len(list(pids.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    run.terminate()
    assert run.wait(timeout=60) == EXIT_STOPPED
    workers = [int(path.name) for path in pids.iterdir()]
    assert len(workers) == 2
    while any(psutil.pid_exists(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(psutil.pid_exists(pid) for pid in workers)
