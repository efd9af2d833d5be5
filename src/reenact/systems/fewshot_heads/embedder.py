"""What person a picture with its landmarks shows; and the trunk that the critic shares the layers of."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reenact.nn.adain import SLOPE
from reenact.nn.residual import ResDown
from reenact.nn.self_attention import SelfAttention

WIDTHS = (1, 2, 4, 8, 8, 8)  # of the layers, in widths of the first; 256 px become 4
PUBLISHED = len(WIDTHS)  # halvings at 224 px, with a frame, and 256
GAIN = 32.0  # of the vectors: about as large as the critic's vectors of clips before the first step
ATTENTION = 3  # halvings before self-attention: an eighth of the picture's side


class Trunk(nn.Module):
    """Picture and landmark picture, halved `halvings` times with spectral norm and without any other.

    Published: 64 channels wide and six halvings, 256 px to 4. Smaller pictures leave out the last layers.
    """

    def __init__(self, *, width: int, halvings: int) -> None:
        super().__init__()
        widths = [width * factor for factor in WIDTHS[:halvings]]
        self.downs = nn.ModuleList(ResDown(a, b) for a, b in zip([6, *widths], widths, strict=False))
        self.attention_after = min(ATTENTION, halvings)
        self.attention = SelfAttention(widths[self.attention_after - 1])
        self.channels = widths[-1]

    def forward(self, image: Tensor, drawing: Tensor) -> list[Tensor]:
        """Two (B, 3, S, S) in [-1, 1] -> what each halving found, the last (B, channels, s, s)."""
        x = unsigned(torch.cat([image, drawing], dim=1), 2 ** len(self.downs))
        found = []
        for number, down in enumerate(self.downs, start=1):
            x = down(x)
            found.append(x)
            if number == self.attention_after:
                x = self.attention(x)
        found[-1] = x
        return found


class Embedder(nn.Module):
    """E(x_i, L(x_i)): the vector of a person in one picture; 14,907,265 parameters at width 64 with six halvings."""

    def __init__(self, *, width: int, halvings: int) -> None:
        super().__init__()
        self.trunk = Trunk(width=width, halvings=halvings)
        self.channels = self.trunk.channels
        for name, weight in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(weight)  # what is the same for all people would drown what is not

    def forward(self, image: Tensor, drawing: Tensor) -> Tensor:
        """Two (B, 3, S, S) in [-1, 1] -> (B, channels): the largest value of each channel, as in the port."""
        return GAIN * F.leaky_relu(self.trunk(image, drawing)[-1].amax(dim=(2, 3)), SLOPE)


def unsigned(x: Tensor, multiple: int) -> Tensor:
    """(B, C, S, S) in [-1, 1] -> 0..1, with a black frame that makes its side a multiple, as 224 px become 256.

    The first layer begins with a ReLU, which would cut off the dark half of [-1, 1].
    """
    x = (x + 1) / 2
    more = -x.shape[-1] % multiple
    before, after = more // 2, more - more // 2
    return F.pad(x, (before, after, before, after)) if more else x
