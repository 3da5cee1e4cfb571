"""The generator on a whole scan: one window around the lesion, everything else is copied."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..geometry import Box
from .generator import Generator
from .rims import gate_of, reach_box
from .scans import BrainScan


@dataclass(frozen=True, eq=False)
class Window:
    """A scan around its lesion, as networks want it.

    Attributes
    ----------
    box
        Which voxels of the scan; padding not counted.
    images, classes, gate
        (1, C, X, Y, Z), (1, X, Y, Z) and (1, X, Y, Z), padded with zeros at the ends.
    """

    box: Box
    images: Tensor
    classes: Tensor
    gate: Tensor

    def unpadded(self, array: Tensor) -> NDArray[np.float32]:
        """Cut the padding off the last three axes of one (1, …) result."""
        i, j, k = self.box.shape
        return np.asarray(array[0, ..., :i, :j, :k].float().cpu().numpy())


def window_of(
    scan: BrainScan,
    patch: tuple[int, int, int],
    multiple: int,
    reach_mm: float,
    device: torch.device,
) -> Window | None:
    """Cut the window around a scan's lesion; None if it has none.

    Parameters
    ----------
    scan
        Real, coarse or refined.
    patch
        Voxels that the window has at least, along each axis.
    multiple
        Its voxels along each axis are a multiple of this.
    reach_mm
        How far beyond the lesion it reaches, mm.
    device
        Where its tensors are wanted.
    """
    tight = reach_box(scan.classes > 0, scan.spacing, reach_mm)
    if tight.empty:
        return None
    wanted = [-(-max(n, p) // multiple) * multiple for n, p in zip(tight.shape, patch, strict=True)]
    start, stop = [], []
    for a, b, n, whole in zip(tight.start, tight.stop, wanted, scan.grid, strict=True):
        low = min(max(a - (n - (b - a)) // 2, 0), max(whole - n, 0))
        start.append(low)
        stop.append(min(low + n, whole))
    box = Box.of(start, stop)
    pads = [(0, n - s) for n, s in zip(wanted, box.shape, strict=True)]
    classes = scan.classes[box.slices]
    parts = (
        np.asarray(scan.images[(slice(None), *box.slices)], dtype=np.float32),
        classes.astype(np.int64),
        gate_of(classes, scan.brain[box.slices], scan.spacing, reach_mm),
    )
    images, labels, gate = (
        torch.from_numpy(np.pad(part, [(0, 0)] * (part.ndim - 3) + pads))[None].to(device)
        for part in parts
    )
    return Window(box, images, labels, gate)


@torch.inference_mode()
def refine(
    generator: Generator, scan: BrainScan, patch: tuple[int, int, int], reach_mm: float
) -> BrainScan:
    """Refine the lesion of a coarse sample.

    Parameters
    ----------
    generator
        Trained.
    scan
        The coarse sample.
    patch
        Voxels that the generator sees at least, along each axis.
    reach_mm
        How far beyond the lesion voxels may change, mm.

    Returns
    -------
    BrainScan
        Same classes; voxels where the gate is 0 are the coarse sample's, bit by bit.
    """
    device = next(generator.parameters()).device
    multiple = 2 ** (len(generator.network.down) - 1)
    window = window_of(scan, patch, multiple, reach_mm, device)
    if window is None:
        return scan
    with evaluating(generator):
        refined = window.unpadded(generator(window.images, window.classes, window.gate))
    images = np.array(scan.images, dtype=np.float32)
    images[(slice(None), *window.box.slices)] = refined
    return scan.with_voxels(images, scan.classes)


@contextlib.contextmanager
def evaluating(*networks: nn.Module) -> Iterator[None]:
    """Put networks into evaluation mode for the block; their own modes come back afterwards."""
    modes = [network.training for network in networks]
    for network in networks:
        network.eval()
    try:
        yield
    finally:
        for network, mode in zip(networks, modes, strict=True):
            network.train(mode)
