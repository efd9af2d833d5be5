"""The U-Net generator of seed 000, in the layers of its authors' code."""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from reenact.faces.heatmaps import Profiles
from reenact.nn.heatmap_conv import heatmap_conv

SLOPE = 0.2


class Down(nn.Sequential):
    """Halves the side, doubles the channels."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__(
            nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1),
            nn.InstanceNorm2d(2 * channels),
            nn.LeakyReLU(SLOPE),
            nn.Dropout2d(dropout),
        )


class Residual(nn.Module):
    """Two convolutions and the identity."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.InstanceNorm2d(channels),
            nn.LeakyReLU(SLOPE),
            nn.Dropout(dropout),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same."""
        return x + self.layers(x)


class Up(nn.Module):
    """Doubles the side (to exactly the skip's), halves the channels, adds the skip."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        # output_padding differs from level to level (31 px came from 62): it is set by the size asked for
        self.conv = nn.ConvTranspose2d(channels, channels // 2, 3, stride=2, padding=1)
        self.norm = nn.Sequential(nn.InstanceNorm2d(channels // 2), nn.LeakyReLU(SLOPE), nn.Dropout2d(dropout))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, C, h, w) and (B, C / 2, H, W) -> (B, C / 2, H, W)."""
        return self.norm(self.conv(x, output_size=skip.shape[-2:])) + skip


class UNet(nn.Module):
    """Draws the person of a picture with given landmarks.

    At width 64: 31,536,131 parameters. Sides at 64 px: 62, 31, 16, 8, 4 and back; channels 64 to 1024. Any size of
    which 4 halvings remain works unchanged.
    """

    def __init__(self, *, width: int, points: int = 68, dropout: float, bottleneck_dropout: float) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(5)]
        # kernel 5 with padding 1 takes 2 px off; the head's kernel 7 with padding 4 gives them back
        self.stem = nn.Conv2d(3 + points, width, 5, padding=1)
        self.stem_norm = nn.Sequential(nn.InstanceNorm2d(width), nn.LeakyReLU(SLOPE))
        self.down = nn.ModuleList(Down(channels, dropout) for channels, _ in pairwise(widths))
        self.bottom = Residual(widths[-1], bottleneck_dropout)
        self.up = nn.ModuleList(Up(channels, dropout) for channels in reversed(widths[1:]))
        self.head = nn.Conv2d(width, 3, 7, padding=4)

    def forward(self, image: Tensor, factors: Profiles) -> Tensor:
        """(B, 3, S, S) in [-1, 1] and the heatmaps of (B, 68) landmarks -> (B, 3, S, S) in [-1, 1]."""
        x = self.stem_norm(heatmap_conv(self.stem, image, factors))
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(x)
        x = self.bottom(x)
        for up, skip in zip(self.up, reversed(skips), strict=True):
            x = up(x, skip)
        return F.tanh(self.head(x))
