"""Patches to train on: each follows from (seed, step, number) alone, whoever draws it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ..geometry import Box, triple
from ..places import random_voxel
from .gan_settings import GanSettings
from .rims import gate_of
from .scans import BrainScan

Patch = dict[str, Tensor]  # images (C, …), classes, gate and focus (…), see draw_patch


def draw_patch(
    rng: np.random.Generator, scan: BrainScan, size: tuple[int, int, int], reach_mm: float
) -> Patch:
    """Draw a patch on a lesion, each class equally often, or anywhere in a tumour-free brain.

    Mirrored left-right (array axis 0) half of the time, brightness changed a little: the same
    for real and for coarse patches, so that it tells nobody which is which.

    Parameters
    ----------
    rng
        Any generator.
    scan
        With or without a lesion.
    size
        Voxels of the patch along each axis.
    reach_mm
        How far the gate reaches beyond a lesion, mm.

    Returns
    -------
    dict
        ``images`` (C, X, Y, Z), ``classes`` (X, Y, Z) int64, ``gate`` (X, Y, Z), and ``focus``
        (X, Y, Z): where the patch is judged, the gate or, without a lesion, the brain.
    """
    kinds = [k for k in range(1, int(scan.classes.max()) + 1) if (scan.classes == k).any()]
    where = scan.classes == rng.choice(kinds) if kinds else scan.brain
    box, before = _bounds(random_voxel(rng, where), size, scan.grid)
    gate = _gate(scan, box, reach_mm)
    brain = scan.brain[box.slices]
    images = np.asarray(scan.images[(slice(None), *box.slices)], dtype=np.float32)
    contrasts = scan.contrasts
    gain, offset = rng.uniform(0.9, 1.1, contrasts), rng.uniform(-0.1, 0.1, contrasts)
    images = np.where(brain, images * gain[:, None, None, None] + offset[:, None, None, None], 0)
    parts: dict[str, NDArray[Any]] = {
        "images": images.astype(np.float32),
        "classes": scan.classes[box.slices].astype(np.int64),
        "gate": gate,
        "focus": gate if kinds else brain.astype(np.float32),
    }
    flip = bool(rng.random() < 0.5)
    return {name: _tensor(part, before, size, flip) for name, part in parts.items()}


class StepPatches(Dataset[dict[str, Tensor]]):
    """All patches of a step, by its number.

    ``real_…`` are drawn from annotated scans and, a share of them, from tumour-free hosts;
    ``coarse_…``, absent while the segmentation network warms up, from coarse samples. Each has
    batch x accumulate patches, (N, …).
    """

    def __init__(
        self,
        real: Sequence[BrainScan],
        hosts: Sequence[BrainScan],
        coarse: Sequence[BrainScan],
        settings: GanSettings,
    ) -> None:
        self.real, self.hosts, self.coarse = real, hosts, coarse
        self.settings = settings

    def __len__(self) -> int:
        """Steps of the whole training."""
        return self.settings.warm_up + self.settings.steps

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        """Draw the patches of one step."""
        settings = self.settings
        count = settings.batch * settings.accumulate
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([settings.seed, step])))
        real = []
        for _ in range(count):
            from_host = bool(self.hosts) and rng.random() < settings.host_share
            real.append(self._from(rng, self.hosts if from_host else self.real))
        drawn = {"real": real}
        if step >= settings.warm_up:
            drawn["coarse"] = [self._from(rng, self.coarse) for _ in range(count)]
        return {
            f"{kind}_{name}": torch.stack([patch[name] for patch in patches])
            for kind, patches in drawn.items()
            for name in patches[0]
        }

    def _from(self, rng: np.random.Generator, scans: Sequence[BrainScan]) -> Patch:
        scan = scans[int(rng.integers(len(scans)))]
        return draw_patch(rng, scan, self.settings.patch, self.settings.gate_mm)


def step_bytes(settings: GanSettings, contrasts: int) -> int:
    """Bytes of all tensors of one adversarial step, as :class:`StepPatches` makes them.

    Parameters
    ----------
    settings
        Sizes of the training.
    contrasts
        How many contrasts each patch has.
    """
    voxels = math.prod(settings.patch) * settings.batch * settings.accumulate
    each = 4 * contrasts + 8 + 4 + 4  # images, classes, gate, focus
    return 2 * each * voxels  # real and coarse


def _bounds(
    centre: tuple[int, int, int], size: tuple[int, int, int], grid: tuple[int, int, int]
) -> tuple[Box, tuple[int, int, int]]:
    """Box of the grid around a voxel, and how many voxels are missing before it."""
    start, stop, before = [], [], []
    for c, n, whole in zip(centre, size, grid, strict=True):
        # A patch longer than the grid is centred on it.
        low = (whole - n) // 2 if whole < n else min(max(c - n // 2, 0), whole - n)
        start.append(max(low, 0))
        stop.append(min(low + n, whole))
        before.append(max(-low, 0))
    return Box.of(start, stop), triple(before)


def _gate(scan: BrainScan, box: Box, reach_mm: float) -> NDArray[np.float32]:
    """Gate over a box; lesions just outside of it reach into it."""
    wide = box.grown(triple(int(np.ceil(reach_mm / s)) for s in scan.spacing), scan.grid)
    gate = gate_of(scan.classes[wide.slices], scan.brain[wide.slices], scan.spacing, reach_mm)
    return gate[box.within(wide)]


def _tensor(
    array: NDArray[Any], before: tuple[int, int, int], size: tuple[int, int, int], flip: bool
) -> Tensor:
    """Pad the last three axes with zeros to the patch's size, and mirror the first of them."""
    spatial = array.shape[-3:]
    pads = [(b, n - b - s) for b, n, s in zip(before, size, spatial, strict=True)]
    array = np.pad(array, [(0, 0)] * (array.ndim - 3) + pads)
    # A copy, as torch refuses the negative strides of a view.
    return torch.from_numpy(np.flip(array, axis=-3).copy() if flip else array)
