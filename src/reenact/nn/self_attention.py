"""Self-attention over the places of a feature map (Zhang et al. 2019, SAGAN)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reenact.nn.spectral import SpectralConv


class SelfAttention(nn.Module):
    """x + gamma * attended: every place looks at all others, through an eighth of the channels.

    gamma starts at 0, so that the network learns from its neighbourhood first. Spectral norm on all convolutions.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(1, channels // 8)
        self.query, self.key, self.value = (SpectralConv(channels, out, 1) for out in (narrow, narrow, channels))
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        query, key, value = (layer(x).flatten(2).transpose(1, 2) for layer in (self.query, self.key, self.value))
        attended = F.scaled_dot_product_attention(query, key, value, scale=1.0)  # SAGAN's products are not scaled
        return x + self.gamma * attended.transpose(1, 2).reshape(x.shape)
