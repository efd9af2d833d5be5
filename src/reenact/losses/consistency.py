"""Losses that ask the generator to agree with itself."""

from torch import Tensor


def self_consistency(back: Tensor, source: Tensor) -> Tensor:
    """L_self = || G(G(I_s; e_t); e_s) - I_s ||^2 (seed 000): there and back again.

    Both (B, 3, H, W) in [-1, 1]; returns a scalar. The norm follows the seed's "squared L1-loss distance".
    """
    return _squared_l1(back, source)


def triple_consistency(via_third: Tensor, direct: Tensor) -> Tensor:
    """L_triple = || G(G(I_s; e_m); e_t) - G(I_s; e_t) ||^2 (Sanchez & Valstar 2018, used by seed 000).

    e_m are the landmarks of a third frame of the same clip. Gradients flow through both branches, as in the authors'
    code.
    """
    return _squared_l1(via_third, direct)


def _squared_l1(a: Tensor, b: Tensor) -> Tensor:
    """Mean over images of (mean |a - b|)^2, so that the value doesn't depend on batch or picture size."""
    return (a - b).abs().mean(dim=(1, 2, 3)).square().mean()
