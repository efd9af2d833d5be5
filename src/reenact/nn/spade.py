"""Normalisation that a spatial embedding modulates, place by place (SPADE, Park et al. 2019)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reenact.nn.spectral import SpectralConv

SLOPE = 0.2
MOST_HIDDEN = 128


class Spade(nn.Module):
    """IN(x) * (1 + gamma(e)) + beta(e); e is brought to the picture's size by nearest neighbour.

    Gamma and beta come from one hidden layer; `hidden` 0 means min(128, 2 * channels), as published.
    """

    def __init__(self, channels: int, embedding: int, *, kernel: int = 5, hidden: int = 0) -> None:
        super().__init__()
        hidden = hidden or min(MOST_HIDDEN, 2 * channels)
        self.shared = nn.Conv2d(embedding, hidden, kernel, padding=kernel // 2)
        self.modulation = nn.Conv2d(hidden, 2 * channels, kernel, padding=kernel // 2)

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        """(B, C, H, W) and (B, E, h, w) -> (B, C, H, W)."""
        gamma, beta = self.modulation(F.relu(conv_enlarged(self.shared, e, x.shape[-1]))).chunk(2, dim=1)
        return torch.addcmul(beta, F.instance_norm(x), 1 + gamma)


class SpadeResidual(nn.Module):
    """Two spectrally normalised convolutions, each after a SPADE; a third pair is the shortcut where widths differ."""

    def __init__(self, channels: int, out: int, embedding: int, *, kernel: int = 5) -> None:
        super().__init__()
        middle = min(channels, out)
        self.first_norm = Spade(channels, embedding, kernel=kernel)
        self.second_norm = Spade(middle, embedding, kernel=kernel)
        self.first = SpectralConv(channels, middle, 3, padding=1)
        self.second = SpectralConv(middle, out, 3, padding=1)
        self.shortcut_norm = Spade(channels, embedding, kernel=kernel) if channels != out else None
        self.shortcut = SpectralConv(channels, out, 1, bias=False) if channels != out else None

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        """(B, C, H, W) and (B, E, h, w) -> (B, out, H, W)."""
        y = self.first(F.leaky_relu(self.first_norm(x, e), SLOPE))
        y = self.second(F.leaky_relu(self.second_norm(y, e), SLOPE))
        if self.shortcut is not None and self.shortcut_norm is not None:
            x = self.shortcut(self.shortcut_norm(x, e))
        return x + y


def conv_enlarged(conv: nn.Conv2d, e: Tensor, size: int) -> Tensor:
    """`conv(F.interpolate(e, size))` with nearest neighbour, for an odd kernel with padding to the same size.

    Enlarged a whole number of times, neighbours under the kernel are mostly equal: their weights are added first,
    and 3 x 3 products take the place of 5 x 5. The same sums, in another order.
    """
    times, rest = divmod(size, e.shape[-1])
    if rest or times < 2 or e.shape[-2] != e.shape[-1]:
        return conv(e if times == 1 and not rest else F.interpolate(e, size=(size, size), mode="nearest"))
    fold = _fold(conv.kernel_size[0], times).to(e)
    taps = fold.shape[-1]
    # (out, in, k, k) -> (out, p, q, in, taps, taps): a small kernel for each place p, q inside an enlarged pixel
    small = torch.einsum("pka,qlb,oikl->opqiab", fold, fold, conv.weight).reshape(-1, e.shape[1], taps, taps)
    y = F.pixel_shuffle(F.conv2d(e, small, padding=taps // 2), times)
    return y if conv.bias is None else y + conv.bias.view(-1, 1, 1)


def _fold(kernel: int, times: int) -> Tensor:
    """(times, kernel, taps) of 0 and 1: which pixel of the small picture lies under a weight, for each place."""
    reach = -(-(kernel // 2) // times)
    place = torch.arange(times).view(-1, 1) + torch.arange(kernel) - kernel // 2
    return F.one_hot(torch.div(place, times, rounding_mode="floor") + reach, 2 * reach + 1)
