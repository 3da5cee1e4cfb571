"""What one process of a training has to do with the others: share, add up, agree."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed as dist
from torch import nn

LOOPBACK, LOOPBACK_NAME = "127.0.0.1", "lo"
BACKENDS = {"cuda": "nccl", "cpu": "gloo"}
SECONDS_TO_ANSWER = 600.0  # a process that keeps the others waiting for longer hangs


@dataclass(frozen=True)
class Ranks:
    """The place of this process among those of one training; the only one, unless told otherwise.

    Attributes
    ----------
    device
        What this process computes on.
    rank, size
        Number of this process, from 0, and how many there are.
    port
        Where the launching process tells them how to find each other.
    seconds_to_answer
        How long one waits for another.
    """

    device: torch.device
    rank: int = 0
    size: int = 1
    port: int = 0
    seconds_to_answer: float = SECONDS_TO_ANSWER

    def join(self, network: nn.Module) -> nn.Module:
        """Meet the others; give the network the weights of rank 0 and averaged gradients."""
        timeout = timedelta(seconds=self.seconds_to_answer)
        for backend in BACKENDS.values():  # one machine: no other network is needed
            os.environ.setdefault(f"{backend.upper()}_SOCKET_IFNAME", LOOPBACK_NAME)
        store = dist.TCPStore(LOOPBACK, self.port, is_master=False, timeout=timeout)  # type: ignore[attr-defined]
        dist.init_process_group(
            BACKENDS[self.device.type],
            store=store,
            rank=self.rank,
            world_size=self.size,
            timeout=timeout,
        )
        return nn.parallel.DistributedDataParallel(
            network, device_ids=[self.device] if self.device.type == "cuda" else None
        )

    def leave(self) -> None:
        """Part from the others, who must do so too."""
        if dist.is_available() and dist.is_initialized():
            dist.destroy_process_group()

    def share(self, n: int) -> range:
        """Those of `n` items that are this rank's."""
        return range(self.rank * n // self.size, (self.rank + 1) * n // self.size)

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """Sum over the ranks, the same on all of them."""
        if self.size == 1:
            return values
        total = values.to(self.device)
        dist.all_reduce(total)
        return total.cpu()

    def mean(self, value: float) -> float:
        """Mean over the ranks."""
        return float(self.sum(torch.tensor(value, dtype=torch.float64))) / self.size

    def any(self, flag: bool) -> bool:
        """Whether a flag is set on any rank."""
        return bool(self.sum(torch.tensor(int(flag))))
