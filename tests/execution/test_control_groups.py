"""Limits of control groups are found where a scheduler sets them: on the way down to the job."""

from __future__ import annotations

from pathlib import Path

import pytest

from synthtumour_bids.execution.control_groups import core_limit, memory_limit

JOB = "system.slice/slurmstepd.scope/job_7/step_0"
UNIFIED = f"0::/{JOB}"
OLDER = "4:memory:/slurm/uid_0/job_7\n3:cpu,cpuacct:/slurm/uid_0/job_7\n1:name=systemd:/\n0::/"


@pytest.mark.parametrize(
    ("membership", "files", "memory", "cores"),
    [
        (UNIFIED, {}, None, None),
        ("", {"memory.max": "8", "cpu.max": "150000 100000"}, 8, 2),  # in a container
        (UNIFIED, {f"{JOB}/memory.max": "max", f"{JOB}/cpu.max": "max 100000"}, None, None),
        (
            UNIFIED,
            {
                f"{JOB}/memory.max": "max",
                f"{Path(JOB).parent}/memory.max": "4\n",
                "system.slice/memory.max": "16",
                f"{JOB}/cpu.max": "400000 100000",
                f"{Path(JOB).parent}/cpu.max": "300000 100000",
            },
            4,
            3,
        ),
        (UNIFIED, {"system.slice/slurmstepd.scope/job_8/memory.max": "1"}, None, None),
        (
            OLDER,
            {
                "memory/memory.limit_in_bytes": "9223372036854771712",
                "memory/slurm/uid_0/job_7/memory.limit_in_bytes": "4",
                "cpu/slurm/uid_0/job_7/cpu.cfs_quota_us": "-1",
                "cpu/slurm/uid_0/job_7/cpu.cfs_period_us": "100000",
                "cpu/slurm/cpu.cfs_quota_us": "200000",
                "cpu/slurm/cpu.cfs_period_us": "100000",
            },
            4,
            2,
        ),
        (OLDER.replace("/slurm/uid_0", "/docker"), {"memory/memory.limit_in_bytes": "6"}, 6, None),
    ],
)
def test_the_least_limit_on_the_way_counts(
    tmp_path: Path,
    membership: str,
    files: dict[str, str],
    memory: int | None,
    cores: int | None,
) -> None:
    told, root = tmp_path / "membership", tmp_path / "root"
    told.write_text(membership)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    assert memory_limit(root, told) == memory
    assert core_limit(root, told) == cores


def test_without_control_groups_there_is_no_limit(tmp_path: Path) -> None:
    assert memory_limit(tmp_path / "root", tmp_path / "membership") is None
    assert core_limit(tmp_path / "root", tmp_path / "membership") is None
