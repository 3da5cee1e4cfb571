"""What a run uses, by step."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from synthtumour_bids.execution.usage import Usage, gpu_use, read_usage, step_spans
from synthtumour_bids.reports.usage_plot import write_usage_plot

HOLD_100_MB = "import sys; x = bytearray(10**8); print(flush=True); sys.stdin.read()"


def test_steps_and_children_are_measured(tmp_path: Path) -> None:
    with Usage(tmp_path, interval=0.02) as usage:
        with usage.during("preprocess"):
            time.sleep(0.15)
        with (
            subprocess.Popen(
                [sys.executable, "-c", HOLD_100_MB], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            ) as child,
            usage.during("train"),
        ):
            assert child.stdout is not None
            child.stdout.readline()
            end = time.thread_time() + 0.2
            while time.thread_time() < end:
                pass
            time.sleep(0.15)
            child.kill()
    with usage.path.open("a") as stream:
        stream.write("12.5\ttr")  # as a reader may find it
    measured = read_usage(usage.path)
    before, during = ([m for m in measured if m.step == s] for s in ("preprocess", "train"))
    assert len(before) > 2
    assert max(m.memory_gb for m in during) > min(m.memory_gb for m in before) + 0.09
    assert max(m.processes for m in during) >= 2
    assert sum(m.cores or 0 for m in during) > 0
    assert [step for step, *_ in step_spans(measured)] == ["preprocess", "train"]
    words = write_usage_plot(usage.path)
    assert words.startswith("preprocess 0 s, train")
    assert usage.path.with_suffix(".html").read_text().count("<polyline") >= 2


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("1024, 35\n2048, 80\n", (3.221, 80.0)),
        ("1024, [N/A]\n", (1.074, None)),  # part of a device
        ("", (None, None)),
    ],
)
def test_the_driver_is_asked_for_gpus(
    tmp_path: Path, answer: str, expected: tuple[float | None, float | None]
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\nprintf '{answer}'\n")
    program.chmod(0o755)
    assert gpu_use(str(program)) == expected
    assert gpu_use(str(tmp_path / "nothing")) == (None, None)
