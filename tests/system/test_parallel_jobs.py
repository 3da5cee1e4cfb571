"""Jobs that share one output folder, as real processes that start together."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from synthtumour_bids.bids.inputs import Selection
from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.execution.locks import exclusive_lock
from synthtumour_bids.files import write_json
from synthtumour_bids.job import Job
from synthtumour_bids.ledger import Ledger
from synthtumour_bids.settings import Settings, Step
from synthtumour_bids.steps import tables

ROOT = Path(__file__).parents[2]
N_JOBS, N_SCANS = 4, 8

TOGETHER = """
import sys, time
from pathlib import Path
number, folder = int(sys.argv[1]), Path(sys.argv[2])
(folder / f"ready-{number}").touch()
while not (folder / "go").exists():
    time.sleep(0.001)
"""

MAKE_TABLES = (
    """
from synthtumour_bids.files import write_json
from synthtumour_bids.steps import tables
from tests.builders.jobs import make_scan, mark_preprocessed
from tests.system.test_parallel_jobs import N_SCANS, job_of, result_of
"""
    + TOGETHER
    + """
job = job_of(folder)
for index in range(N_SCANS):
    name = f"sub-{number}x{index}"
    out = job.settings.output_dir
    (out / name).mkdir(parents=True)
    scan = make_scan(folder, name.removeprefix("sub-"))
    mark_preprocessed(job, scan, fingerprint="p")
    write_json(job.layout.scores(f"{name}_FLAIR"), {"dice": 0.5})
    write_json(out / "logs" / "results" / f"{name}_FLAIR.json", result_of(name))
    tables.write(job)
"""
)

DESCRIBE = (
    """
from synthtumour_bids.bids.description import check_output_dir, write_dataset_description
"""
    + TOGETHER
    + """
bids = folder / "bids"
for turn in range(100):
    out = folder / f"out-{turn}"
    check_output_dir(out, bids)
    out.mkdir(exist_ok=True)
    write_dataset_description(out, links={"raw": bids})
    (out / f"sub-{number}").mkdir(exist_ok=True)
"""
)

MARK = (
    """
from synthtumour_bids.ledger import Ledger
"""
    + TOGETHER
    + """
ledger = Ledger(folder / "out")
for _ in range(200):
    ledger.mark("preprocess", "raw/sub-01_FLAIR", "p", note=str(number) * 5000)
    stamp = ledger.read("preprocess", "raw/sub-01_FLAIR")
    assert stamp is not None and len(set(stamp.details["note"])) == 1
"""
)

HOLD = """
import sys, time
from pathlib import Path
from synthtumour_bids.execution.locks import exclusive_lock
with exclusive_lock(Path(sys.argv[1]), "taken by {holder}"):
    print("held", flush=True)
    time.sleep(600)
"""


def job_of(folder: Path) -> Job:
    settings = Settings(folder / "bids", folder / "out")
    return Job(settings, Selection((), ()), folder, Ledger(settings.output_dir))


def result_of(name: str) -> dict[str, object]:
    return {"participant_id": name, "scan": f"{name}_FLAIR", "role": "tumour", "volume_mL": 1.0}


def rows_of(folder: Path, table: str) -> list[dict[str, str]]:
    with (folder / "out" / table).open() as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def start(code: str, *arguments: object, **more: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        text=True,
        **more,
    )


def run_together(code: str, folder: Path) -> Sequence[int]:
    jobs = [start(code, number, folder) for number in range(N_JOBS)]
    while len(list(folder.glob("ready-*"))) < N_JOBS:
        assert all(job.poll() is None for job in jobs)
        time.sleep(0.05)
    (folder / "go").touch()
    return [job.wait() for job in jobs]


def test_tables_hold_what_all_jobs_left(tmp_path: Path) -> None:
    assert run_together(MAKE_TABLES, tmp_path) == [0] * N_JOBS
    participants = rows_of(tmp_path, "participants.tsv")
    scans = rows_of(tmp_path, "group_desc-tumour_volumes.tsv")
    assert len(participants) == len(scans) == N_JOBS * N_SCANS
    assert {row["dice"] for row in scans} == {"0.5"}
    assert not list(tmp_path.rglob(".tmp-*"))


def test_what_arrives_while_tables_are_made_is_in_them(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    results = job.settings.output_dir / "logs" / "results"
    results.mkdir(parents=True)
    slow, text = results / "sub-01_FLAIR.json", json.dumps(result_of("sub-01"))
    os.mkfifo(slow)
    writer = threading.Thread(target=tables.write, args=(job,))
    writer.start()
    with slow.open("w") as pipe:  # opens when the writer of the tables has listed the results
        whole = results / ".whole"
        whole.write_text(text)
        whole.replace(slow)
        write_json(results / "sub-02_FLAIR.json", result_of("sub-02"))
        pipe.write(text)
    writer.join()
    assert [row["participant_id"] for row in rows_of(tmp_path, "participants.tsv")] == [
        "sub-01",
        "sub-02",
    ]


def test_participants_that_another_job_preprocessed_stay_in_the_table(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    out = job.settings.output_dir
    for name, role in (("sub-01", "tumour"), ("sub-02", "tumourfree"), ("sub-03", "tumourfree")):
        job.ledger.mark(Step.PREPROCESS, f"raw/{name}_FLAIR", "p", role=role)  # as 0.1.0 did
        if name != "sub-03":  # its outputs were deleted
            (out / name).mkdir(parents=True)
    # Participants of further datasets are listed in tables of their own, if at all.
    job.ledger.mark(Step.PREPROCESS, "tumourfree/sub-04_FLAIR", "p", role="tumourfree")
    (out / "sub-04").mkdir()
    tables.write(job)
    rows = rows_of(tmp_path, "participants.tsv")
    roles = [(row["participant_id"], row["role"]) for row in rows]
    assert roles == [("sub-01", "tumour"), ("sub-02", "tumourfree")]


def test_jobs_that_start_together_take_the_folder_for_theirs(tmp_path: Path) -> None:
    (tmp_path / "bids").mkdir()
    assert run_together(DESCRIBE, tmp_path) == [0] * N_JOBS


def test_stamps_written_together_are_whole(tmp_path: Path) -> None:
    assert run_together(MARK, tmp_path) == [0] * N_JOBS
    assert Ledger(tmp_path / "out").is_done("preprocess", "raw/sub-01_FLAIR", "p")


def test_one_run_at_a_time_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "models" / ".lock"
    holder = start(HOLD, path, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(UnavailableError, match=f"taken by process {holder.pid} on"),
            exclusive_lock(path, "taken by {holder}"),
        ):
            pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        if holder.stdout is not None:
            holder.stdout.close()
    with exclusive_lock(path, "taken by {holder}"):
        assert f"process {os.getpid()} on" in path.read_text()
