"""Feature matching: what the critic's layers see in the drawn picture and in the real one (Wang et al. 2018)."""

from collections.abc import Sequence

import torch
from torch import Tensor


def feature_matching(real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]]) -> Tensor:
    """L_FM = 1/S sum_s sum_j |D_s^j(real) - D_s^j(fake)|_1 / N_j: eq. 6 of seed 003, with 1/S folded in.

    Scales of layers, as nn.multiscale gives them: the last of each scale is the map of scores and is left out, as in
    the published code. The mean over S scales is that code's factor, by which the weight 10 was chosen. No gradient
    reaches what is seen in the real picture.
    """
    scales = [
        torch.stack([(a.detach().float() - b.float()).abs().mean() for a, b in zip(r[:-1], f[:-1], strict=True)]).sum()
        for r, f in zip(real, fake, strict=True)
    ]
    return torch.stack(scales).mean()
