"""The whole way from the images of a brain on the template grid to its mask, in memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.execution.resources import memory_limit_gb
from synthtumour_bids.methods.network_grid import NetworkGrid
from synthtumour_bids.synthesis.borders import Evidence, refine_borders
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.enclosure import add_enclosed
from synthtumour_bids.synthesis.geometry import Mask
from synthtumour_bids.synthesis.pseudo_labels import assess, final_criteria

MOST_AT_ONCE = 4  # brains, which keep a GPU busy
GB_EACH = 3.0  # of memory for each; one takes about one at 1 mm, and libraries the rest
ONE_NETWORK = threading.Lock()  # at a time: what one prints, and its warnings, are caught for all


class Segmenter:
    """A loaded network, with all that is done to its answers; threads may share it.

    Parameters
    ----------
    folder
        Of the network.
    evidence
        How the scan refines its borders; ``None``: not at all.
    lesion
        What it looks for.
    enclosed
        What is added to its masks; see :func:`.enclosure.add_enclosed`.
    grid
        Where it sees the scans.
    device, nprocs
        As for ``segmentation.prediction.iter_predict``.
    mem_gb
        Memory to use in all; left out: what this process may use.

    Raises
    ------
    UnavailableError
        The network or the device is not there, or cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        evidence: Evidence | None,
        lesion: str,
        enclosed: float,
        grid: NetworkGrid,
        *,
        device: str,
        nprocs: int,
        mem_gb: float | None = None,
    ) -> None:
        from synthtumour_bids.segmentation.network import Network

        self._network = Network(folder, device=device, mirroring=True)
        self._evidence, self._grid, self._nprocs = evidence, grid, nprocs
        self._enclosed = enclosed
        self._mem_gb = memory_limit_gb() if mem_gb is None else mem_gb
        self._criteria = final_criteria(lesion)

    @property
    def at_once(self) -> int:
        """How many brains should be worked on at a time: several where a GPU has the network."""
        if self._network.device.type == "cpu":  # which is as busy with one
            return 1
        return max(1, min(self._nprocs, MOST_AT_ONCE, int(self._mem_gb // GB_EACH)))

    def probability(self, brains: Sequence[Brain]) -> NDArray[np.float32]:
        """Probability of tumour with refined borders, (X, Y, Z), in [0, 1].

        Parameters
        ----------
        brains
            One a contrast, on the run's template grid.

        Raises
        ------
        UnusableScanError
            When the network does not answer.
        UnavailableError
            When its device has too little memory.
        """
        import torch

        from synthtumour_bids.segmentation.environment import torch_threads

        images = np.stack([np.where(one.mask, one.image, 0) for one in brains]).astype(np.float32)
        first, size = brains[0], self._grid.resolution
        try:
            with ONE_NETWORK, torch_threads(self._nprocs):
                classes = self._network.probabilities(self._grid.forth(images), (size,) * 3)
        except torch.OutOfMemoryError as error:
            msg = f"{self._network.device} has too little memory; use --device cpu."
            raise UnavailableError(msg) from error
        values = self._grid.back(classes.sum(axis=0).clip(0, 1), first.mask)
        return values if self._evidence is None else refine_borders(values, first, self._evidence)

    def mask(self, probability: NDArray[np.float32], brain: Brain) -> Mask:
        """Mask of a probability map, cleaned as final masks are, with what it encloses.

        Parameters
        ----------
        probability
            (X, Y, Z), in [0, 1].
        brain
            On the same grid.
        """
        mask = assess(probability, brain.mask, brain.spacing, criteria=self._criteria).mask
        return add_enclosed(mask, brain, self._enclosed)
