"""The generators of pix2pixHD (Wang et al. 2018): one for the whole picture, one that enhances it to twice the side.

Layers as in the official code. Features before the last layer are reachable, for heads that stand beside the picture's.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _convolution(channels: int, out: int, kernel: int) -> list[nn.Module]:
    """Mirrored at the border: a picture has no black frame."""
    return [nn.ReflectionPad2d(kernel // 2), nn.Conv2d(channels, out, kernel)]


def _normed(channels: int) -> list[nn.Module]:
    return [nn.InstanceNorm2d(channels), nn.ReLU(inplace=True)]


def _down(channels: int, out: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, out, 3, stride=2, padding=1), *_normed(out)]


def _up(channels: int, out: int) -> list[nn.Module]:
    return [nn.ConvTranspose2d(channels, out, 3, stride=2, padding=1, output_padding=1), *_normed(out)]


class Residual(nn.Module):
    """Two convolutions and the identity, nothing after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(channels, channels, 3),
            *_normed(channels),
            *_convolution(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same."""
        return x + self.layers(x)


class GlobalGenerator(nn.Module):
    """Draws a picture from any number of channels of its size.

    At width 64 with 4 halvings and 9 blocks 182,462,083 parameters for 9 channels, 182,593,795 for 51. Sides must
    divide by 2 ** halvings and be at least twice that.
    """

    def __init__(self, channels: int, *, width: int, halvings: int, blocks: int) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(halvings + 1)]
        layers = [*_convolution(channels, width, 7), *_normed(width)]
        for level in range(halvings):
            layers += _down(widths[level], widths[level + 1])
        layers += [Residual(widths[-1]) for _ in range(blocks)]
        for level in reversed(range(halvings)):
            layers += _up(widths[level + 1], widths[level])
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Sequential(*_convolution(width, 3, 7), nn.Tanh())

    def features(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, width, H, W): what the last layer draws from."""
        return self.trunk(x)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, 3, H, W) in [-1, 1]."""
        return self.head(self.trunk(x))


class LocalEnhancer(nn.Module):
    """Draws at twice the side of a global generator, from the same input and that generator's features.

    `width` is half the global generator's: its features and those of the front are added. `begun` goes with the
    weights and says whether training has reached them.
    """

    begun: Tensor

    def __init__(self, channels: int, *, width: int, blocks: int) -> None:
        super().__init__()
        self.front = nn.Sequential(*_convolution(channels, width, 7), *_normed(width), *_down(width, 2 * width))
        self.back = nn.Sequential(*(Residual(2 * width) for _ in range(blocks)), *_up(2 * width, width))
        self.head = nn.Sequential(*_convolution(width, 3, 7), nn.Tanh())
        self.register_buffer("begun", torch.zeros((), dtype=torch.bool))

    def features(self, x: Tensor, coarse: Tensor) -> Tensor:
        """(B, channels, H, W) and (B, 2 * width, H / 2, W / 2) -> (B, width, H, W)."""
        return self.back(self.front(x) + coarse)

    def forward(self, x: Tensor, coarse: Tensor) -> Tensor:
        """The same -> (B, 3, H, W) in [-1, 1]."""
        return self.head(self.features(x, coarse))


def halved(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, H / 2, W / 2): means over 3 x 3 pixels within the picture, as the official pyramid's."""
    return F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)


def doubled(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, 2H, 2W), linear: undoes `halved`, whose pixel i stands where 2i stood."""
    H, W = x.shape[-2:]
    between = F.interpolate(x, size=(2 * H - 1, 2 * W - 1), mode="bilinear", align_corners=True)
    return F.pad(between, (0, 1, 0, 1), mode="replicate")


def normal_start(module: nn.Module) -> None:
    """N(0, 0.02) for the weights of convolutions, as published; their biases stay as they are. For `Module.apply`."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
