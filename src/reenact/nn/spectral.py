"""Spectral normalisation (Miyato et al. 2018)."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SpectralConv(nn.Conv2d):
    """A convolution whose weight is divided by its largest singular value, seen as a (out, in * k * k) matrix.

    One step of the power iteration each time it is used in training mode, as `torch.nn.utils.spectral_norm` does it,
    without a parametrisation's bookkeeping: on a CPU that costs more than a small convolution.
    """

    left: Tensor
    right: Tensor

    def __init__(self, channels: int, out: int, kernel: int, **options: Any) -> None:
        super().__init__(channels, out, kernel, **options)
        self.register_buffer("left", F.normalize(torch.randn(out), dim=0))
        self.register_buffer("right", F.normalize(torch.randn(self.weight[0].numel()), dim=0))
        self.settle()

    @torch.no_grad()
    def settle(self, steps: int = 15) -> None:
        """Power iteration: brings `left` and `right` closer to the first singular vectors."""
        matrix = self.weight.flatten(1)
        for _ in range(0 if matrix.is_meta else steps):  # a tensor without values takes as long, for nothing
            self.left = F.normalize(_times(matrix, self.right), dim=0)
            self.right = F.normalize(_times(matrix.T, self.left), dim=0)

    def normalised(self) -> Tensor:
        """The weight over its largest singular value; gradients flow through both."""
        if self.training:
            self.settle(1)
        return self.weight / (self.left * _times(self.weight.flatten(1), self.right)).sum()

    def forward(self, x: Tensor) -> Tensor:
        """As the ordinary convolution."""
        return self._conv_forward(x, self.normalised(), self.bias)


def _times(matrix: Tensor, vector: Tensor) -> Tensor:
    """Their product with all its digits: in mixed precision `@` would round it to a half float's."""
    return (matrix * vector).sum(dim=1)
