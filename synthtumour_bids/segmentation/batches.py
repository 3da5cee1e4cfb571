"""Batches to train on: drawn by nnU-Net's loader, each sample with random numbers of its own."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from torch.utils.data import IterableDataset, get_worker_info

from synthtumour_bids.execution.child import tie_to_parent

FOREGROUND_SHARE = 0.5  # of the patches are centred on tumour


class Batches(IterableDataset[dict[str, Any]]):
    """Samples `positions` of the batches `indices`.

    A sample follows from `seed`, the index of its batch and its position in that alone, so that a
    training sees the same data however many processes prepare a batch or share it.

    Parameters
    ----------
    loader
        Draws one sample at a time.
    batch_size
        Samples of a whole batch; as in nnU-Net, the last ones are centred on tumour.
    """

    def __init__(
        self,
        loader: nnUNetDataLoader,
        batch_size: int,
        positions: range,
        indices: range,
        seed: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.loader = loader
        self.positions = positions
        self.indices = indices
        self.seed = seed
        self.first_on_tumour = round(batch_size * (1 - FOREGROUND_SHARE))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        info = get_worker_info()
        mine = self.indices[info.id :: info.num_workers] if info else self.indices
        for index in mine:
            samples = [self._sample(index, position) for position in self.positions]
            yield {key: _joined([sample[key] for sample in samples]) for key in ("data", "target")}

    def _sample(self, index: int, position: int) -> dict[str, Any]:
        # nnU-Net draws from the global generators of numpy, torch and random.
        state = np.random.SeedSequence([*self.seed, index, position]).generate_state(3)
        np.random.seed(state[0])  # noqa: NPY002
        torch.manual_seed(int(state[1]))
        random.seed(int(state[2]))
        self.loader.oversample_foreground_percent = float(position >= self.first_on_tumour)
        values: dict[str, Any] = self.loader.generate_train_batch()
        return values


def _joined(parts: list[Any]) -> Any:
    """One tensor of several samples; a list of them where there is one per resolution."""
    if isinstance(parts[0], list):
        return [torch.cat(level) for level in zip(*parts, strict=True)]
    return torch.cat(parts)


def start_worker(_: int) -> None:
    """Set up a process that prepares batches: it ends with the trainer, and not before it."""
    tie_to_parent()
