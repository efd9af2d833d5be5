"""What the losses of FACEGAN's reenactor and of its mixer share: a critic on three scales, and features of faces."""

import torch
from torch import Tensor

from reenact.backbones.features import Features
from reenact.losses.least_squares import critic_least_squares, generator_least_squares
from reenact.losses.perceptual import normalised
from reenact.nn.multiscale import MultiScale, scores


def adversarial(critic: MultiScale, given: Tensor, drawn: Tensor) -> Tensor:
    """L_adv, the mean over the critic's scales; it sees `given` (B, 4, S, S), I_s and H_t, beside the picture."""
    return generator_least_squares(scores(critic(torch.cat([given, drawn], dim=1))))


def critic_loss(critic: MultiScale, given: Tensor, real: Tensor, drawn: Tensor) -> Tensor:
    """L_D = 0.5 ((D(real) - 1)^2 + D(fake)^2). Both pass as one batch: no layer mixes images."""
    seen = torch.cat([given.repeat(2, 1, 1, 1), torch.cat([real, drawn.detach()])], dim=1)
    halves = [each.chunk(2) for each in scores(critic(seen))]
    return critic_least_squares([r for r, _ in halves], [f for _, f in halves])


def perceptual(features: Features | None, drawn: Tensor, target: Tensor) -> Tensor:
    """L_VGG by VGG-16 of the user's, or by the guide."""
    if features is None:
        raise ValueError("the perceptual loss needs a feature network; this system was built without")
    with torch.no_grad():
        wanted = features.stages(target)
    return normalised(features.stages(drawn), wanted)
