"""The projection critic: is this a real picture of that clip, in this pose?"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reenact.nn.adain import SLOPE
from reenact.nn.spectral import SpectralConv
from reenact.systems.fewshot_heads.embedder import Trunk


class Judged(NamedTuple):
    """What the critic says, and what it saw."""

    score: Tensor  # (B,), unbounded
    maps: list[Tensor]  # of each halving and the block after them, for feature matching


class ProjectionDiscriminator(nn.Module):
    """score = v . (W_i + w_0) + b, with v what is seen and W_i a vector of its own for every training clip i.

    With 32 clips at width 64 and six halvings 19,643,778 parameters; the vector w' of a fine-tuned person makes
    19,644,290.
    """

    def __init__(self, *, width: int, halvings: int, clips: int) -> None:
        super().__init__()
        self.trunk = Trunk(width=width, halvings=halvings)
        channels = self.trunk.channels
        self.first, self.second = (SpectralConv(channels, channels, 3, padding=1) for _ in range(2))
        self.clips = nn.Parameter(torch.rand(clips, channels))  # W
        self.common = nn.Parameter(torch.randn(channels))  # w_0
        self.bias = nn.Parameter(torch.randn(1))  # b

    def forward(self, image: Tensor, drawing: Tensor, person: Tensor) -> Judged:
        """Two (B, 3, S, S) in [-1, 1]; `person` (B, channels): W_i + w_0, or a fine-tuned person's w'."""
        maps = self.trunk(image, drawing)
        x = maps[-1]
        x = x + self.second(F.leaky_relu(self.first(x), SLOPE))
        seen = x.mean(dim=(2, 3))
        return Judged(score=(seen * person).sum(dim=1) + self.bias, maps=[*maps, x])

    def person(self, clip: Tensor) -> Tensor:
        """W_i + w_0 for (B,) numbers of training clips -> (B, channels)."""
        return self.clips[clip] + self.common
