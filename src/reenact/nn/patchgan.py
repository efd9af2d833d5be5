"""The PatchGAN discriminator of seed 000, in the layers of its authors' code."""

from torch import Tensor, nn

from reenact.faces.heatmaps import Profiles
from reenact.nn.heatmap_conv import heatmap_conv

SLOPE = 0.2


def _block(channels: int, out: int, stride: int, dropout: float) -> list[nn.Module]:
    # batch normalisation makes the convolution's bias superfluous
    return [
        nn.Conv2d(channels, out, 4, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(out),
        nn.LeakyReLU(SLOPE),
        nn.Dropout(dropout),
    ]


class PatchGAN(nn.Module):
    """Judges patches of a picture with its landmarks; 729,505 parameters at width 32, 6 x 6 patches at 64 px."""

    def __init__(self, *, width: int, points: int = 68, dropout: float) -> None:
        super().__init__()
        self.first = nn.Conv2d(3 + points, width, 4, stride=2, padding=1)
        self.rest = nn.Sequential(
            nn.LeakyReLU(SLOPE),
            *_block(width, 2 * width, 2, dropout),
            *_block(2 * width, 4 * width, 2, dropout),
            *_block(4 * width, 8 * width, 1, dropout),
            nn.Conv2d(8 * width, 1, 4, padding=1),
        )

    def patches(self, image: Tensor, factors: Profiles) -> Tensor:
        """(B, 3, S, S) and heatmaps -> (B, 1, h, w): the probability that each patch is real."""
        return self.rest(heatmap_conv(self.first, image, factors)).sigmoid()

    def forward(self, image: Tensor, factors: Profiles) -> Tensor:
        """(B,): the mean of the patches' probabilities."""
        return self.patches(image, factors).mean(dim=(1, 2, 3))
