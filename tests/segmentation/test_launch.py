"""Processes of a training that fail, hang or leave, without a training: only torch is loaded."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time

import pytest
import torch

from synthtumour_bids.errors import StoppedError, UnavailableError
from synthtumour_bids.segmentation.distributed import Progress, Stop, launch
from synthtumour_bids.segmentation.ranks import Ranks

CPU = torch.device("cpu")
SECONDS = 300  # the longest that anything here may take on a busy machine


def hang(_: None, ranks: Ranks, stop: Stop, progress: Progress | None) -> None:
    ranks.join(torch.nn.Linear(1, 1))
    if ranks.rank == 1:
        time.sleep(SECONDS)
    ranks.any(False)


def fail(_: None, ranks: Ranks, stop: Stop, progress: Progress | None) -> None:
    ranks.join(torch.nn.Linear(1, 1))
    if ranks.rank == 1:
        raise KeyError("no such thing")
    ranks.any(False)


def leave(_: None, ranks: Ranks, stop: Stop, progress: Progress | None) -> None:
    if ranks.rank == ranks.size - 1:
        os._exit(0)
    ranks.join(torch.nn.Linear(1, 1))


def test_a_process_that_hangs_ends_the_training() -> None:
    with pytest.raises(UnavailableError, match="lost each other: one of them does not answer"):
        launch(hang, None, [CPU, CPU], stop=threading.Event(), seconds_to_answer=20)
    assert not multiprocessing.active_children()


def test_the_cause_of_a_failure_is_told() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)process 2 of 2, cpu:.*KeyError: 'no such thing'"):
        launch(fail, None, [CPU, CPU], stop=threading.Event())
    with pytest.raises(UnavailableError, match=r"Process 2 of 2 .* ended with code 0"):
        launch(leave, None, [CPU, CPU], stop=threading.Event())
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError, match="before the state could be saved"):
        launch(leave, None, [CPU], stop=stop)
    assert not multiprocessing.active_children()
