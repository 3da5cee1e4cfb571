"""The SLURM scripts, with a scheduler and an app that only take note of what they are asked for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "docs" / "slurm"
COMMANDS = {
    "sbatch": 'echo "$SYNTHTUMOUR_PARTICIPANTS" >> "$NOTES/lists"; echo 7',
    "srun": 'shift 2; exec "$@"',
    "scontrol": 'echo "$@" >> "$NOTES/requeued"',
    "sleep": "true",
    "app": 'echo "$@" >> "$NOTES/app"; exit "${CODE:-0}"',
}


class Cluster:
    """Commands of a cluster, and settings for its jobs."""

    def __init__(self, root: Path) -> None:
        self.notes, self.bids, self.out = root / "notes", root / "bids", root / "out"
        commands = root / "commands"
        for folder in (self.notes, self.bids, commands):
            folder.mkdir()
        for name, line in COMMANDS.items():
            (commands / name).write_text(f"#!/usr/bin/env bash\n{line}\n")
            (commands / name).chmod(0o755)
        self.settings = root / "settings.sh"
        self.settings.write_text(
            f"BIDS={self.bids}\nOUT={self.out}\nWORK={root / 'work'}\nLOCAL={root}\nAT_ONCE=9\n"
            "TUMOURFREE=()\nFURTHER=()\nOPTIONS=()\nSBATCH=()\nSBATCH_ARRAY=()\nSBATCH_TRAIN=()\n"
            "APP=(app)\n"
        )
        self.environment = {
            **os.environ,
            "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
            "NOTES": str(self.notes),
            "SYNTHTUMOUR_SETTINGS": str(self.settings),
            "SYNTHTUMOUR_SLURM": str(SCRIPTS),
            "SLURM_CPUS_PER_TASK": "1",
            "SLURM_JOB_ID": "7",
        }

    def run(self, script: str, *arguments: str, **variables: str) -> int:
        """Run a script; return its exit code."""
        command = ["bash", str(SCRIPTS / script), *arguments]
        return subprocess.run(command, env={**self.environment, **variables}).returncode

    def note(self, name: str) -> list[str]:
        """Lines that a command took note of."""
        return (self.notes / name).read_text().splitlines()


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


@pytest.mark.parametrize(
    ("app", "trained", "code"), [(0, True, 0), (1, True, 0), (1, False, 1), (65, True, 65)]
)
def test_scans_that_fail_in_the_training_cancel_no_segmentation(
    cluster: Cluster, app: int, trained: bool, code: int
) -> None:
    if trained:
        (cluster.out / "models" / "senior").mkdir(parents=True)
        (cluster.out / "models" / "senior" / "model.json").touch()
    assert cluster.run("train.sbatch", CODE=str(app)) == code
    assert not (cluster.notes / "requeued").exists()


def test_a_training_that_was_stopped_goes_back_into_the_queue(cluster: Cluster) -> None:
    assert cluster.run("train.sbatch", CODE="75") == 75
    assert cluster.note("requeued") == ["requeue 7"]


def test_tasks_work_on_those_whom_their_submission_found(cluster: Cluster) -> None:
    (cluster.bids / "sub-b").mkdir()
    assert cluster.run("submit.sh", str(cluster.settings)) == 0
    (cluster.bids / "sub-a").mkdir()
    assert cluster.run("submit.sh", str(cluster.settings)) == 0
    lists = cluster.note("lists")
    assert len(lists) == 6
    assert len(set(lists[:3])) == len(set(lists[3:])) == 1
    for found in (lists[0], lists[3]):
        task = {"SYNTHTUMOUR_PARTICIPANTS": found, "SLURM_ARRAY_TASK_ID": "1"}
        assert cluster.run("preprocess.sbatch", **task) == 0
    asked = [line.split("--participant-label ")[1].split()[0] for line in cluster.note("app")]
    assert asked == ["b", "a"]
