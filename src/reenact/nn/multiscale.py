"""pix2pixHD's discriminators (Wang et al. 2018): patch critics on several scales, whose layers can be looked at."""

import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2


class NLayerDiscriminator(nn.Module):
    """Convolutions of 4 x 4 with stride 2, one with stride 1, one to scores; 2,767,809 parameters of 6 channels.

    Widths double from `width` up to its eightfold; every layer but first and last is instance-normalised.
    """

    def __init__(self, channels: int, *, width: int, layers: int = 3) -> None:
        super().__init__()
        widths = [channels, *(min(width * 2**level, width * 8) for level in range(layers + 1))]
        self.layers = nn.ModuleList()
        for level in range(layers + 1):
            conv = nn.Conv2d(widths[level], widths[level + 1], 4, stride=2 if level < layers else 1, padding=2)
            norm = [nn.InstanceNorm2d(widths[level + 1])] if level else []
            self.layers.append(nn.Sequential(conv, *norm, nn.LeakyReLU(SLOPE)))
        self.layers.append(nn.Conv2d(widths[-1], 1, 4, padding=2))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, C, H, W) -> what each layer gives; the last are the patches' scores (B, 1, h, w), of any value."""
        result = []
        for layer in self.layers:
            x = layer(x)
            result.append(x)
        return result


class MultiScale(nn.Module):
    """One discriminator of its own for the picture, its half, its quarter, ..."""

    def __init__(self, channels: int, *, width: int, scales: int = 2, layers: int = 3) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            NLayerDiscriminator(channels, width=width, layers=layers) for _ in range(scales)
        )  # the finest first

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        """(B, C, H, W) -> the layers of every scale, the finest first."""
        result = []
        for level, scale in enumerate(self.scales):
            if level:
                x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
            result.append(scale(x))
        return result


def scores(seen: list[list[Tensor]]) -> list[Tensor]:
    """Each scale's map of scores."""
    return [layers[-1] for layers in seen]
