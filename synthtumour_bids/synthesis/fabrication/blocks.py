"""The residual U-Net that generator and segmentation network share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2  # of the leaky rectifiers


class ResidualBlock(nn.Module):
    """Two convolutions with instance norm, and a short cut around them."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv3d(inputs, outputs, 3, stride, 1, bias=False)
        # One group per channel: an instance norm that also takes a single voxel.
        self.first_norm = nn.GroupNorm(outputs, outputs)
        self.second = nn.Conv3d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.GroupNorm(outputs, outputs)
        plain = inputs == outputs and stride == 1
        self.short_cut = nn.Identity() if plain else nn.Conv3d(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, X, Y, Z) to (N, outputs, X / stride, …)."""
        y = functional.leaky_relu(self.first_norm(self.first(x)), SLOPE)
        y = self.second_norm(self.second(y))
        return functional.leaky_relu(y + self.short_cut(x), SLOPE)


class ResidualUNet(nn.Module):
    """Encoder and decoder of residual blocks.

    Parameters
    ----------
    inputs, outputs
        Channels in and out.
    widths
        Channels per level; every level after the first halves the resolution.
    """

    def __init__(self, inputs: int, outputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(
            [ResidualBlock(inputs, widths[0]), *(ResidualBlock(a, b, 2) for a, b in pairs)]
        )
        # Up-sampling by interpolation: transposed convolutions leave chequerboards.
        self.up = nn.ModuleList([ResidualBlock(a + b, a) for a, b in reversed(pairs)])
        self.last = nn.Conv3d(widths[0], outputs, 1)

    def encode(self, x: Tensor) -> list[Tensor]:
        """Features of every level, the finest first."""
        features = []
        for block in self.down:
            x = block(x)
            features.append(x)
        return features

    def decode(self, features: list[Tensor]) -> Tensor:
        """Output of the network, (N, outputs, X, Y, Z), from its features."""
        x = features[-1]
        for block, skip in zip(self.up, reversed(features[:-1]), strict=True):
            x = functional.interpolate(
                x, size=skip.shape[2:], mode="trilinear", align_corners=False
            )
            x = block(torch.cat([x, skip], dim=1))
        return cast(Tensor, self.last(x))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, X, Y, Z) to (N, outputs, X, Y, Z); sizes are multiples of 2^(levels - 1)."""
        return self.decode(self.encode(x))


def one_hot(classes: Tensor, count: int) -> Tensor:
    """Classes as channels, without the background.

    Parameters
    ----------
    classes
        0 … `count`, (N, X, Y, Z).
    count
        How many classes there are, background not counted.

    Returns
    -------
    Tensor
        float32, (N, count, X, Y, Z).
    """
    kinds = torch.arange(1, count + 1, device=classes.device).view(1, -1, 1, 1, 1)
    return (classes[:, None] == kinds).float()


def pooled_to(maps: Tensor, like: Tensor) -> Tensor:
    """Average maps down to another resolution.

    Parameters
    ----------
    maps
        (N, channels, X, Y, Z).
    like
        (N, …, x, y, z).

    Returns
    -------
    Tensor
        (N, channels, x, y, z).
    """
    i, j, k = like.shape[-3:]
    return functional.adaptive_avg_pool3d(maps, (i, j, k))
