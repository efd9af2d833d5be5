"""The residual blocks that seed 003's system and its baseline of few-shot heads share."""

import torch.nn.functional as F
from torch import Tensor, nn

from reenact.nn.spectral import SpectralConv

SLOPE = 0.2
SHARE = 0.1  # of what a same-resolution block adds


class ResDown(nn.Module):
    """Halves the side: ReLU, conv, ReLU, conv and a 1 x 1 shortcut, each averaged; all three spectrally normalised."""

    def __init__(self, channels: int, out: int, *, kernel: int = 3) -> None:
        super().__init__()
        padding = kernel // 2
        self.first = SpectralConv(channels, out, kernel, padding=padding)
        self.second = SpectralConv(out, out, kernel, padding=padding)
        self.shortcut = SpectralConv(channels, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, out, H / 2, W / 2)."""
        # a 1 x 1 convolution and the mean exchange, and the mean first is a quarter of the work
        return self._averaged(self.first(x.relu()).relu()) + self.shortcut(F.avg_pool2d(x, 2))

    def _averaged(self, x: Tensor) -> Tensor:
        """`avg_pool2d(second(x), 2)`: one convolution with stride 2, whose kernel is the average of four shifted ones.

        16 products in the place of 36 with a 3 x 3 kernel.
        """
        kernel = F.avg_pool2d(F.pad(self.second.normalised(), (1, 1, 1, 1)), 2, stride=1)
        return F.conv2d(x, kernel, self.second.bias, stride=2, padding=self.second.padding)


class Stable(nn.Module):
    """Keeps the side: adds a tenth of LeakyReLU, conv, LeakyReLU, conv to x, or to a 1 x 1 convolution of it."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        middle = min(channels, out)
        self.first = nn.Conv2d(channels, middle, 3, padding=1)
        self.second = nn.Conv2d(middle, out, 3, padding=1)
        self.shortcut = nn.Conv2d(channels, out, 1, bias=False) if channels != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, out, H, W)."""
        inner = self.second(F.leaky_relu(self.first(F.leaky_relu(x, SLOPE)), SLOPE))
        return self.shortcut(x) + SHARE * inner
