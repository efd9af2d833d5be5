"""Adaptive instance normalisation (Huang & Belongie 2017), and residual blocks that are styled by it."""

import torch.nn.functional as F
from torch import Tensor, nn

from reenact.nn.spectral import SpectralConv

SLOPE = 0.01  # of the leaky ReLUs


def adain(x: Tensor, style: Tensor) -> Tensor:
    """(1 + gamma) * IN(x) + beta.

    (B, C, H, W) and a style (B, 2C): gamma, then beta. The 1 lets a style that starts near zero change nothing yet.
    """
    gamma, beta = style[:, :, None, None].chunk(2, dim=1)
    return F.instance_norm(x) * (1 + gamma) + beta


class AdainResidual(nn.Module):
    """x + conv3(LReLU AdaIN(conv3(LReLU AdaIN(x)))), spectral norm; its style has `rows` numbers."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.rows = 4 * channels
        self.first, self.second = (SpectralConv(channels, channels, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """(B, C, H, W) and (B, rows) -> (B, C, H, W)."""
        first, second = style.chunk(2, dim=1)
        y = self.first(F.leaky_relu(adain(x, first), SLOPE))
        return x + self.second(F.leaky_relu(adain(y, second), SLOPE))


class AdainUp(nn.Module):
    """Twice the side: AdaIN, LReLU, up, conv3, AdaIN, LReLU, conv3, beside up and conv1; spectral norm."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.channels = channels
        self.rows = 2 * (channels + out)
        self.first = SpectralConv(channels, out, 3, padding=1)
        self.second = SpectralConv(out, out, 3, padding=1)
        self.skip = SpectralConv(channels, out, 1)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """(B, C, H, W) and (B, rows) -> (B, out, 2H, 2W)."""
        y = self.first(_up(F.leaky_relu(adain(x, style[:, : 2 * self.channels]), SLOPE)))
        y = self.second(F.leaky_relu(adain(y, style[:, 2 * self.channels :]), SLOPE))
        # a 1x1 convolution before the enlargement is the same function at a quarter of the cost
        return _up(self.skip(x)) + y


def _up(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
