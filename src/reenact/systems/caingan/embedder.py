"""The embedder E of seed 003 and the function that makes one embedding of those of K sources."""

import math

from torch import Tensor, nn

from reenact.nn.residual import ResDown, Stable
from reenact.nn.spectral import SpectralConv

LEAST = 0.01  # of a responsibility, from the authors' code: eq. 1 never divides by nothing
GAIN = 2.0  # of the embedder's first weights: its answers to two people then differ by tenths, as what they modulate


class Embedder(nn.Module):
    """A spatial embedding e of one source picture, and r: how far each of its values can be relied on.

    Two halvings and four blocks of the same resolution are shared; two blocks of its own for each output. At width 64
    with 9 channels of input: 3,991,330 parameters.
    """

    def __init__(self, channels: int, *, width: int, embedding: int) -> None:
        super().__init__()
        self.shared = nn.Sequential(
            Stable(channels, width),
            ResDown(width, 2 * width),
            ResDown(2 * width, 4 * width),
            Stable(4 * width, embedding),
            *(Stable(embedding, embedding) for _ in range(4)),
        )
        self.embedding = nn.Sequential(*(Stable(embedding, embedding) for _ in range(2)))
        self.responsibility = nn.Sequential(*(Stable(embedding, embedding) for _ in range(2)))
        _draw_weights(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, K, C, S, S) in 0..1 -> e (B, K, E, S / 4, S / 4) and r of the same shape, above 0; all in one pass."""
        shared = self.shared(x.flatten(0, 1))
        e, r = self.embedding(shared), self.responsibility(shared).sigmoid() + LEAST
        return e.unflatten(0, x.shape[:2]), r.unflatten(0, x.shape[:2])

    def mean(self, x: Tensor) -> Tensor:
        """e_x = 1/K sum_i e_i, eq. 7 of seed 003: (B, K, C, S, S) -> (B, E, S / 4, S / 4)."""
        return self.embedding(self.shared(x.flatten(0, 1))).unflatten(0, x.shape[:2]).mean(dim=1)


def combine(e: Tensor, r: Tensor) -> Tensor:
    """e_x = sum_i e_i r_i / sum_i r_i, eq. 1 of seed 003.

    (B, K, E, h, w) embeddings and responsibilities of any K -> (B, E, h, w). Equal responsibilities give eq. 7, the
    plain mean.
    """
    return (e * r).sum(dim=1) / r.sum(dim=1)


def _draw_weights(network: nn.Module) -> None:
    """N(0, GAIN^2 / n) for a convolution over n values; those of spectral norm 1 are scaled by that alone."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=GAIN / math.sqrt(module.weight[0].numel()))
        if isinstance(module, SpectralConv):
            module.settle()
