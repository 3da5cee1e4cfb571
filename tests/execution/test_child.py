from __future__ import annotations

import multiprocessing
import signal
import time

import pytest
from torch.utils.data import DataLoader, Dataset

from synthtumour_bids.execution.child import kill_children


class Stuck(Dataset[int]):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> int:
        time.sleep(600)
        return index


@pytest.mark.filterwarnings("ignore:This DataLoader")
def test_all_processes_of_a_loader_are_killed_although_torch_raises_for_the_first() -> None:
    loader = iter(DataLoader(Stuck(), num_workers=4, multiprocessing_context="fork"))
    assert len(multiprocessing.active_children()) == 4
    handler = signal.getsignal(signal.SIGCHLD)
    assert callable(handler), "torch's"
    kill_children()
    assert multiprocessing.active_children() == []
    assert signal.getsignal(signal.SIGCHLD) is handler
    del loader
