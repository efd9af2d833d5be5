"""The terms that this system has to itself, and what a frozen critic sees of a drawn picture and a real one."""

from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor

from reenact.backbones.features import Features
from reenact.losses.perceptual import layered
from reenact.nn.modes import frozen
from reenact.systems.fewshot_heads.discriminator import Judged, ProjectionDiscriminator

LAYERS = 5


def match(embeddings: Tensor, clips: Tensor) -> Tensor:
    """L_MCH = mean |e_i - W_i|: the embedding of a clip's picture is the critic's vector of that clip.

    (B, K, channels) and (B, channels).
    """
    return (embeddings.float() - clips.float()[:, None]).abs().mean()


def maps_apart(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """L_FM = sum_l mean |D_l(real) - D_l(fake)| over all maps of the critic: six halvings and a block as published."""
    return torch.stack([(a.detach().float() - b.float()).abs().mean() for a, b in zip(real, fake, strict=True)]).sum()


def content(features: Features | None, fake: Tensor, target: Tensor) -> Tensor:
    """L_CNT = sum_l mean |Phi_l(I_t) - Phi_l(fake)| over relu1_1 .. relu5_1 or what stands in their places."""
    if features is None:
        raise ValueError("the content loss needs a feature network; this system was built without")
    with torch.no_grad():
        wanted = features.firsts(target)
    return layered(features.firsts(fake), wanted, weights=(1.0,) * LAYERS)


class Seen:
    """What the critic says of the drawn picture and sees in the real one, each computed once and when asked."""

    def __init__(
        self, critic: ProjectionDiscriminator, pictures: tuple[Tensor, Tensor], drawing: Tensor,
        person: Callable[[], Tensor],
    ) -> None:  # fmt: skip
        self.critic, self.pictures, self.drawing, self.person = critic, pictures, drawing, person

    @cached_property
    def fake(self) -> Judged:
        with frozen(self.critic):
            return self.critic(self.pictures[0], self.drawing, self.person())

    @cached_property
    def real(self) -> Judged:
        with torch.no_grad(), frozen(self.critic):
            return self.critic(self.pictures[1], self.drawing, self.person())
