"""The residual blocks that seeds 003's system and its baseline of few-shot heads share."""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

SLOPE = 0.2
SHARE = 0.1  # of what a same-resolution block adds


class ResDown(nn.Module):
    """Halves the side: ReLU, conv, ReLU, conv and a 1 x 1 shortcut, each averaged; all three spectrally normalised."""

    def __init__(self, channels: int, out: int, *, kernel: int = 3) -> None:
        super().__init__()
        padding = kernel // 2
        self.first = spectral_norm(nn.Conv2d(channels, out, kernel, padding=padding))
        self.second = spectral_norm(nn.Conv2d(out, out, kernel, padding=padding))
        self.shortcut = spectral_norm(nn.Conv2d(channels, out, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, out, H / 2, W / 2)."""
        right = F.avg_pool2d(self.second(self.first(x.relu()).relu()), 2)
        # a 1 x 1 convolution and the mean exchange, and the mean first is a quarter of the work
        return right + self.shortcut(F.avg_pool2d(x, 2))


class Stable(nn.Module):
    """Keeps the side: adds a tenth of conv, LeakyReLU, conv to x, or to a 1 x 1 convolution of it."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, out, 3, padding=1)
        self.second = nn.Conv2d(out, out, 3, padding=1)
        self.shortcut = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, out, H, W)."""
        inner = self.second(F.leaky_relu(self.first(F.leaky_relu(x, SLOPE)), SLOPE))
        return self.shortcut(x) + SHARE * inner
