"""Draws a landmark picture as a person: the person comes in through the styles of AdaIN alone."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reenact.nn.adain import SLOPE, AdainResidual, AdainUp, adain
from reenact.nn.residual import ResDown
from reenact.nn.self_attention import SelfAttention
from reenact.systems.fewshot_heads.embedder import unsigned

PUBLISHED = 4  # halvings at 224 and 256 px
RESIDUAL = 5
DEVIATION, PUBLISHED_EMBEDDING = 0.02, 512  # of P's first numbers, at this length of the vectors
DOWN_ATTENTION, UP_ATTENTION = 3, 2  # where the side is an eighth, and a quarter of the picture's


class Generator(nn.Module):
    """G(L(x_t); psi), psi = P e; at width 64 with four halvings P has 13,184 rows, all 38,160,037 parameters."""

    def __init__(self, *, width: int, halvings: int, embedding: int, first_kernel: int) -> None:
        super().__init__()
        outer, *widths = level_widths(width, halvings)
        kernels = [first_kernel, *[3] * (halvings - 1)]
        self.downs = nn.ModuleList(
            ResDown(a, b, kernel=k) for a, b, k in zip([3, *widths], widths, kernels, strict=False)
        )
        self.norms = nn.ModuleList(nn.InstanceNorm2d(channels, affine=True) for channels in widths)
        self.residual = nn.ModuleList(AdainResidual(widths[-1]) for _ in range(RESIDUAL))
        rising = [*widths[::-1], outer]
        self.ups = nn.ModuleList(AdainUp(a, b) for a, b in pairwise(rising))
        # small pictures have no such level: attention then stands in the innermost one
        self.down_attention_after = min(DOWN_ATTENTION, halvings)
        self.up_attention_after = halvings - min(UP_ATTENTION, halvings)
        self.down_attention = SelfAttention(widths[self.down_attention_after - 1])
        self.up_attention = SelfAttention(rising[self.up_attention_after])
        self.last = nn.Conv2d(outer, 3, 3, padding=1)
        self.rows = [*(block.rows for block in (*self.residual, *self.ups)), 2 * outer]  # of P, by block
        # as strong an answer to a shorter vector
        deviation = DEVIATION * math.sqrt(PUBLISHED_EMBEDDING / embedding)
        self.projection = nn.Parameter(deviation * torch.randn(sum(self.rows), embedding))

    def styles(self, embedding: Tensor) -> Tensor:
        """psi = P e: (B, embedding) -> (B, rows of P), what styles every AdaIN."""
        return F.linear(embedding, self.projection)

    def forward(self, drawing: Tensor, psi: Tensor) -> Tensor:
        """(B, 3, S, S) landmark pictures in [-1, 1], (B, rows of P) -> pictures (B, 3, S, S) in [-1, 1]."""
        size = drawing.shape[-1]
        x = unsigned(drawing, 2 ** len(self.downs))
        for number, (down, norm) in enumerate(zip(self.downs, self.norms, strict=True), start=1):
            x = norm(down(x))
            if number == self.down_attention_after:
                x = self.down_attention(x)
        styles = iter(psi.split(self.rows, dim=1))
        for block in self.residual:
            x = block(x, next(styles))
        for number, up in enumerate(self.ups):
            if number == self.up_attention_after:
                x = self.up_attention(x)
            x = up(x, next(styles))
        x = self.last(F.leaky_relu(adain(x, next(styles)), SLOPE))
        return 2 * _cropped(x, size).sigmoid() - 1


def level_widths(width: int, halvings: int) -> list[int]:
    """Channels at each level, from the full side to the innermost: 32, 64, 128, 256, 512 as published.

    With fewer halvings each level is wider by the square root of 2 for every one left out: halfway between leaving out
    the outermost levels and the innermost.
    """
    spread = 2 ** ((PUBLISHED - halvings) / 2)
    return [max(8, 8 * round(width * spread * 2 ** (level - 1) / 8)) for level in range(halvings + 1)]


def _cropped(x: Tensor, size: int) -> Tensor:
    before = (x.shape[-1] - size) // 2
    return x[..., before : before + size, before : before + size]
