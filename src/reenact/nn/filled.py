"""Holes of a picture, filled smoothly by what lies around them: push-pull (Gortler et al. 1996, The Lumigraph)."""

import torch
import torch.nn.functional as F
from torch import Tensor


@torch.no_grad()
def filled(picture: Tensor, hole: Tensor) -> Tensor:
    """(B, C, H, W) and (B, 1, H, W) true where nothing is known -> the same picture, each hole filled.

    What is known stays as it is, bit by bit; what is filled lies between the least and the greatest that is known. A
    picture of which nothing is known becomes 0. It is halved until a pixel is left, each with the mean of those below
    it that are known; then, coming back, what is unknown takes the coarser picture's colour.
    """
    known = ~hole
    levels = [(picture.masked_fill(hole, 0), known)]
    while max(levels[-1][0].shape[-2:]) > 1:
        levels.append(_halved(*levels[-1]))
    found, _ = levels.pop()
    for colour, known in reversed(levels):
        coarser = F.interpolate(found, size=colour.shape[-2:], mode="bilinear", align_corners=False)
        found = torch.where(known, colour, coarser)
    return found


def _halved(colour: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Of two by two pixels the mean of those that are known, and whether any is; 0 where none is."""
    share = _mean(known.to(colour.dtype))
    return _mean(colour * known) / share.clamp(min=0.25), share > 0


def _mean(pixels: Tensor) -> Tensor:
    """Over two by two; at odd edges over as many as there are."""
    return F.avg_pool2d(pixels, 2, ceil_mode=True, count_include_pad=False)
