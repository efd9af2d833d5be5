"""The least-squares loss of critics (Mao et al. 2017), as pix2pixHD uses it."""

from collections.abc import Sequence

import torch
from torch import Tensor

EVEN = 0.25  # both losses where the critic can't tell and says 1/2


def critic_least_squares(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """L_D = 1/2 (mean (D(real) - 1)^2 + mean D(fake)^2).

    Maps of scores, one of each scale and of any shape; a mean over each map, then over the scales.
    """
    scales = zip(real, fake, strict=True)
    return torch.stack([0.5 * ((r.float() - 1).square().mean() + f.float().square().mean()) for r, f in scales]).mean()


def generator_least_squares(fake: Sequence[Tensor]) -> Tensor:
    """L_adv = mean (D(fake) - 1)^2."""
    return torch.stack([(scores.float() - 1).square().mean() for scores in fake]).mean()
