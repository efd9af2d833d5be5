"""The hinge loss of critics without a sigmoid (Lim & Ye 2017; Miyato et al. 2018)."""

from collections.abc import Sequence

import torch
from torch import Tensor

EVEN = 2.0  # the critic's loss where it can't tell: relu(1 - 0) + relu(1 + 0)


def critic_hinge(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """L_D = max(0, 1 - D(real)) + max(0, 1 + D(fake)), eq. 3 and 4 of seed 003.

    Maps of scores, one of each scale and of any shape; a mean over each map, then over the scales.
    """
    return _over_scales(
        [(1 - r.float()).relu().mean() + (1 + f.float()).relu().mean() for r, f in zip(real, fake, strict=True)]
    )


def generator_hinge(fake: Sequence[Tensor]) -> Tensor:
    """L_adv = -D(fake), eq. 2 of seed 003, for each critic; can be negative."""
    return -_over_scales([scores.float().mean() for scores in fake])


def _over_scales(values: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean()
