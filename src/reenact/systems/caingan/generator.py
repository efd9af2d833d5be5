"""The generator G of seed 003: a drawing of landmarks in, the picture out, the person's embedding in every SPADE."""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from reenact.nn.residual import ResDown, Stable
from reenact.nn.spade import SpadeResidual

SAME = 3  # blocks of the same resolution; the authors' code has four
NARROWEST = 16  # channels on the way up, narrower than any published; fewer take a CPU as long
PUBLISHED = 224  # px, for which the kernels were chosen


class Generator(nn.Module):
    """Halvings with learned skips, blocks of the same resolution, and SPADE after each doubling.

    At 224 px with width 64, four halvings and an embedding of 128 channels: 49,836,987 parameters.
    """

    def __init__(self, *, size: int, width: int, halvings: int, embedding: int) -> None:
        super().__init__()
        down = [width * 2**level for level in range(halvings)]
        bottom = down[-1]
        up = [max(NARROWEST, 3 * bottom // 2 ** (2 + level)) for level in range(halvings + 1)]
        kernels = [odd_kernel(9, size), *[3] * (halvings - 1)]
        self.down = nn.ModuleList(
            nn.Sequential(ResDown(a, b, kernel=kernel), nn.InstanceNorm2d(b, affine=True))
            for (a, b), kernel in zip(pairwise([3, *down]), kernels, strict=True)
        )
        self.same = nn.Sequential(*(Stable(bottom, bottom) for _ in range(SAME)))
        self.up = nn.ModuleList(
            SpadeResidual(a, b, embedding, kernel=odd_kernel(5, size)) for a, b in pairwise([bottom, *up])
        )
        self.last = nn.Conv2d(up[-1], 3, 3, padding=1)

    def forward(self, drawing: Tensor, e: Tensor) -> Tensor:
        """Landmark pictures (B, 3, S, S) in 0..1 and embeddings (B, E, h, w) -> pictures (B, 3, S, S) in 0..1."""
        x = drawing
        for down in self.down:
            x = down(x)
        x = self.same(x)
        for level, up in enumerate(self.up):
            if level:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = up(x, e)
        return self.last(x).sigmoid()


def odd_kernel(published: int, size: int) -> int:
    """A kernel that covers about the share of a picture that it covers at 224 px: odd, 3 at least."""
    return min(published, max(3, 2 * round((published * size / PUBLISHED - 1) / 2) + 1))
