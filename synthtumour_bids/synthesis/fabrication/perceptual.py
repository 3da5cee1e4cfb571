"""Class-wise perceptual guidance: what a segmentation network sees in each class of a lesion.

Features come from every encoder level of a small segmentation network, trained on the annotated
scans and then frozen. Mean and spread of each channel over a class are compared with those of *any*
real lesion, kept in a bank, so that no pairs are needed. The soft minimum over the bank draws each
refined lesion to real ones near it; a single prototype would make all lesions alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .blocks import ResidualUNet, one_hot, pooled_to

LEAST = 8.0  # voxels of a class, at the resolution of a level, needed to describe it
SOFTNESS = 0.1  # of the minimum over the bank


class Segmenter(ResidualUNet):
    """Segmentation network: contrasts in, logits of background and tumour classes out."""

    def __init__(self, contrasts: int, classes: int, widths: Sequence[int]) -> None:
        super().__init__(contrasts, classes + 1, widths)
        self.classes = classes


@dataclass(frozen=True, eq=False)
class Pooled:
    """Features pooled per class.

    Attributes
    ----------
    values
        Mean and spread of each channel of each level, (N, K, D).
    present
        Whether the class fills enough of the patch, bool, (N, K).
    """

    values: Tensor
    present: Tensor


def pooled(features: Sequence[Tensor], classes: Tensor, count: int) -> Pooled:
    """Pool the features of every level over each class.

    Parameters
    ----------
    features
        (N, channels, x, y, z) per level, the finest first.
    classes
        (N, X, Y, Z), whole numbers 0 … `count`.
    count
        How many tumour classes there are, K.
    """
    masks = one_hot(classes, count)
    parts = []
    present = torch.ones(masks.shape[:2], dtype=torch.bool, device=masks.device)
    for level in features:
        share = pooled_to(masks, level).flatten(2)  # (N, K, n)
        total = share.sum(dim=2)
        weights = share / total.clamp_min(1e-6)[..., None]
        values = level.float().flatten(2).transpose(1, 2)  # (N, n, channels)
        mean = weights @ values
        variance = (weights @ values.square() - mean.square()).clamp_min(0)
        parts += [mean, (variance + 1e-4).sqrt()]
        present &= total >= min(LEAST, share.shape[2] / 8)
    return Pooled(torch.cat(parts, dim=2), present)


@dataclass(frozen=True, eq=False)
class Bank:
    """Pooled features of real lesions.

    Attributes
    ----------
    values
        One (M, D) tensor per class, M ≥ 0.
    spread
        Standard deviation of each feature over the real lesions of a class, (K, D).
    """

    values: tuple[Tensor, ...]
    spread: Tensor

    @classmethod
    def of(cls, lesions: Sequence[Pooled]) -> Bank:
        """Collect the classes that are present."""
        values = torch.cat([p.values for p in lesions]).detach()
        present = torch.cat([p.present for p in lesions])
        kinds = tuple(values[present[:, k], k] for k in range(values.shape[1]))
        # A feature that hardly varies among few lesions must not outweigh all others.
        spread = torch.stack(
            [
                kind.std(dim=0) + 0.1 * kind.abs().mean(dim=0) + 1e-3
                if len(kind) > 1
                else torch.ones_like(values[0, 0])
                for kind in kinds
            ]
        )
        return cls(kinds, spread)

    def distance(self, refined: Pooled) -> Tensor:
        """Mean soft distance of the refined lesions' classes to the nearest real ones, a scalar.

        Classes that are absent from the patch or the bank do not count.
        """
        distances = []
        for k, real in enumerate(self.values):
            mine = refined.values[refined.present[:, k], k]
            if not len(mine) or not len(real):
                continue
            gap = (mine[:, None] - real[None]) / self.spread[k]
            squared = gap.square().mean(dim=2)  # (n, M)
            mean_exp = torch.logsumexp(-squared / SOFTNESS, dim=1) - torch.log(
                torch.tensor(float(len(real)))
            )
            distances.append(-SOFTNESS * mean_exp)
        if not distances:
            return refined.values.sum() * 0
        return torch.cat(distances).mean()
