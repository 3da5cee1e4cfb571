"""TF-GAN's discriminator: one trunk, two heads."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from .blocks import SLOPE


class Discriminator(nn.Module):
    """Tells real from refined patches, and classes of tumour from each other.

    Parameters
    ----------
    contrasts
        Contrasts of its input.
    classes
        Tumour classes, background not counted.
    widths
        Channels of the trunk's convolutions; all but the last halve the resolution.
    """

    def __init__(self, contrasts: int, classes: int, widths: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for level, width in enumerate(widths):
            before = widths[level - 1] if level else contrasts
            shape = (3, 1, 1) if level == len(widths) - 1 else (4, 2, 1)
            layers += [spectral_norm(nn.Conv3d(before, width, *shape)), nn.LeakyReLU(SLOPE)]
        self.trunk = nn.Sequential(*layers)
        self.realness = spectral_norm(nn.Conv3d(widths[-1], 1, 3, 1, 1))
        self.kinds = nn.Sequential(
            nn.Conv3d(widths[-1], widths[-1], 3, 1, 1),
            nn.LeakyReLU(SLOPE),
            nn.Conv3d(widths[-1], classes + 1, 1),
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Judge a batch, (N, C, X, Y, Z).

        Returns
        -------
        realness : Tensor
            Above 0 for real, (N, 1, x, y, z) with one value per 2^(widths - 1) voxels.
        kinds : Tensor
            Logits of background and each class, (N, classes + 1, X, Y, Z).
        """
        features = self.trunk(images)
        kinds = self.kinds(features)
        # Classes are told at the trunk's resolution and interpolated: cheap, and enough to guide.
        size = images.shape[2:]
        kinds = functional.interpolate(kinds, size=size, mode="trilinear", align_corners=False)
        return self.realness(features), kinds
