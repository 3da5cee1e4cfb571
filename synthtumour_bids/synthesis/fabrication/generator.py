"""TF-GAN's generator: a residual 3-D U-Net that edits a coarse lesion and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .blocks import ResidualUNet, one_hot

MOST = 4.0  # largest change of brightness, in spreads of normal brain


class Generator(nn.Module):
    """Coarse contrasts and classes in, the same contrasts out.

    It starts as the identity, so an untrained or useless generator leaves coarse samples as they
    are. The change is multiplied by the gate; where the gate is 0, voxels are copied bit by bit.

    Parameters
    ----------
    contrasts
        Contrasts in and out.
    classes
        Tumour classes, background not counted.
    widths
        See :class:`.blocks.ResidualUNet`.
    """

    def __init__(self, contrasts: int, classes: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.classes = classes
        self.network = ResidualUNet(contrasts + classes + 1, contrasts, widths)
        nn.init.zeros_(self.network.last.weight)
        nn.init.zeros_(self.network.last.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor, classes: Tensor, gate: Tensor) -> Tensor:
        """Refine a batch.

        Parameters
        ----------
        images
            (N, C, X, Y, Z), float32.
        classes
            (N, X, Y, Z), whole numbers.
        gate
            (N, X, Y, Z) in [0, 1]; see :func:`.rims.gate_of`.

        Returns
        -------
        Tensor
            float32, as `images`.
        """
        gate = gate[:, None]
        change = self.network(torch.cat([images, one_hot(classes, self.classes), gate], dim=1))
        change = MOST * torch.tanh(change.float() / MOST)
        return torch.where(gate > 0, images + gate * change, images)
