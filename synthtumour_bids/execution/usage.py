"""What a run uses while it runs: memory, processor and GPU, by step, as a table that grows.

The table lies in the folder of the run's log, so two runs never write the same one.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType

from synthtumour_bids.execution.resources import has_cuda_device

TABLE = "resources.tsv"
SECONDS = 5.0  # between two measurements
SHORTEST = 0.1  # seconds: processor time is told in hundredths of a second
_GPU_PATIENCE = 5.0  # seconds that nvidia-smi may take
_GPU = ("memory.used", "utilization.gpu")


@dataclass(frozen=True)
class Measurement:
    """What was used at one moment.

    Attributes
    ----------
    seconds
        Since the run began.
    step
        The step that was running; empty between two steps.
    processes
        This one and its children.
    memory_gb
        Resident memory of all of them; what they share counts in each.
    cores
        Processor time over the time since an earlier measurement, at least 0.1 s before; ``None``
        so long as there is none.
    gpu_memory_gb, gpu_percent
        Of all visible NVIDIA devices, whoever uses them: the sum, and the highest utilisation;
        ``None`` without one.
    """

    seconds: float
    step: str
    processes: int
    memory_gb: float
    cores: float | None
    gpu_memory_gb: float | None = None
    gpu_percent: float | None = None


class Usage:
    """Measures during a block, from a thread of its own, into `TABLE` in `folder`."""

    def __init__(self, folder: Path, interval: float = SECONDS) -> None:
        self.path = folder / TABLE
        self._interval = interval
        self._step = ""
        self._start = self._last = time.monotonic()
        self._spent: dict[int, float] = {}  # processor seconds of each process so far
        self._cores: float | None = None
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, name="usage", daemon=True)
        self._gpu = shutil.which("nvidia-smi") if has_cuda_device() else None

    def __enter__(self) -> Usage:
        """Begin the table."""
        names = "\t".join(item.name for item in fields(Measurement))
        self.path.write_text(names + "\n", encoding="utf-8")
        self._spent = _processor_seconds()[0]
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self._end.set()
        self._thread.join()

    @contextmanager
    def during(self, step: str) -> Iterator[None]:
        """Count what is used during the block for a step."""
        self._measure()
        self._step = step
        self._measure()
        try:
            yield
        finally:
            self._measure()
            self._step = ""

    def _work(self) -> None:
        while not self._end.wait(self._interval):
            self._measure()

    def _measure(self) -> None:
        """Add a line; a run is never stopped because it could not be measured."""
        with self._lock, suppress(OSError, ValueError):
            now = time.monotonic()
            spent, memory = _processor_seconds()
            if (passed := now - self._last) >= SHORTEST:
                used = sum(max(0.0, spent[one] - self._spent.get(one, 0.0)) for one in spent)
                self._cores = round(used / passed, 2)
                self._last, self._spent = now, spent
            gpu = gpu_use(self._gpu) if self._gpu else (None, None)
            line = Measurement(
                round(now - self._start, 1),
                self._step,
                len(spent),
                round(memory / 1e9, 3),
                self._cores,
                *gpu,
            )
            values = ("n/a" if v in (None, "") else str(v) for v in asdict(line).values())
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write("\t".join(values) + "\n")


def read_usage(path: Path) -> list[Measurement]:
    """Read a table, also while it is written."""
    found = []
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            with suppress(TypeError, ValueError):  # a line that is not whole yet
                numbers = {
                    name: None if value == "n/a" else float(value)
                    for name, value in row.items()
                    if name not in ("step", "processes")
                }
                step = "" if row["step"] == "n/a" else row["step"]
                found.append(Measurement(**numbers, step=step, processes=int(row["processes"])))  # type: ignore[arg-type]
    return found


def step_spans(measured: list[Measurement]) -> list[tuple[str, float, float]]:
    """Each step that ran, in order, with the seconds at which it began and ended.

    A step that runs twice in a row, as training does for two networks, is one.
    """
    spans: list[tuple[str, float, float]] = []
    for one in measured:
        if not one.step:
            continue
        if spans and spans[-1][0] == one.step:
            spans[-1] = (one.step, spans[-1][1], one.seconds)
        else:
            spans.append((one.step, one.seconds, one.seconds))
    return spans


def _processor_seconds() -> tuple[dict[int, float], int]:
    """Processor seconds of this process and its children, by their ids; their memory, bytes."""
    import psutil

    me = psutil.Process(os.getpid())
    spent, memory = {}, 0
    with suppress(psutil.Error):
        for process in (me, *me.children(recursive=True)):
            with suppress(psutil.Error), process.oneshot():
                times = process.cpu_times()
                memory += process.memory_info().rss
                spent[process.pid] = float(times.user + times.system)
    return spent, memory


def gpu_use(program: str) -> tuple[float | None, float | None]:
    """Memory in GB and utilisation in percent; ``None`` where the driver does not tell."""
    command = [program, f"--query-gpu={','.join(_GPU)}", "--format=csv,noheader,nounits"]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible:
        command.append(f"--id={visible}")
    try:
        done = subprocess.run(  # noqa: S603 - the driver's own program
            command, capture_output=True, text=True, timeout=_GPU_PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None, None
    devices = [line.split(", ") for line in done.stdout.splitlines()]
    memory, percent = (_numbers(one[place] for one in devices) for place in (0, -1))
    return (
        round(sum(memory) * 1.048576e-3, 3) if memory else None,
        max(percent) if percent else None,
    )


def _numbers(words: Iterable[str]) -> list[float]:
    """Those words that are numbers; the driver says ``[N/A]`` for what it does not know."""
    return [float(word) for word in words if word.replace(".", "", 1).isdigit()]
