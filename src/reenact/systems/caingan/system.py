"""Seed 003: a person's spatial embedding, made of K pictures, steers what is drawn from the target's landmarks.

Read with section 3 of the source document; docs/fidelity.md lists what departs from it. Inside the system pictures are
in 0..1, as in the authors' code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from reenact.backbones.features import Features
from reenact.errors import SettingsError
from reenact.faces.batch import FaceBatch, Faces
from reenact.faces.landmark_pictures import landmark_pictures
from reenact.losses.feature_matching import feature_matching
from reenact.losses.hinge import critic_hinge, generator_hinge
from reenact.losses.perceptual import layered
from reenact.losses.terms import Terms
from reenact.nn.multiscale import MultiScale, scores
from reenact.systems.caingan.embedder import Embedder, combine
from reenact.systems.caingan.generator import Generator
from reenact.systems.caingan.settings import CainganSettings
from reenact.systems.card import Label
from reenact.systems.protocol import Optimiser, Phase
from reenact.systems.watched import Rival
from reenact.systems.width import halvings_for, width_for

SMALLEST = 16  # px, side of a picture of which the critics' layers still see more than one value
MOST_SOURCES = 64  # any number works; this is where asking for more is surely a mistake


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What the generator made of a batch, and the drawing of landmarks it started from."""

    image: Tensor  # (B, 3, S, S) in [-1, 1]
    target: Tensor  # (B, 3, S, S) in 0..1: L(x_t)


class Caingan(nn.Module):
    """The system as the training loop, evaluation and registry see it."""

    name = "caingan"
    labels: tuple[Label, ...] = ("landmarks",)
    rivals = (
        Rival(generator="identity", critic="identity_critic", loss="hinge"),
        Rival(generator="pose", critic="pose_critic", loss="hinge"),
    )
    most_sources = MOST_SOURCES

    def __init__(self, settings: CainganSettings, *, size: int, features: Features | None) -> None:
        super().__init__()
        self.settings, self.size = settings, size
        self.features = features
        _check(size)
        width = settings.width or width_for(size)
        embedding = settings.embedding or 2 * width
        critic_width = settings.discriminator_width or width_for(size)
        # E sees x_i and L(x_i), and L(x_t) where it is targeted
        self.embedder = Embedder(9 if settings.targeted else 6, width=width, embedding=embedding)
        self.generator = Generator(size=size, width=width, halvings=halvings_for(size), embedding=embedding)
        self.identity_critic = MultiScale(6, width=critic_width)  # D_I
        self.pose_critic = MultiScale(6, width=critic_width)  # D_P

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """By the names that optimisers, checkpoints and tables use."""
        names = ("embedder", "generator", "identity_critic", "pose_critic")
        return {name: getattr(self, name) for name in names}

    @property
    def shots(self) -> int:
        """The K it was trained with, the largest where K was drawn."""
        return self.settings.sources

    @property
    def phases(self) -> tuple[Phase, ...]:
        """One phase, with two learning rates and more steps for the critics."""
        s = self.settings
        critics = tuple(name for name, weight in self._critics.items() if weight)
        adversary = Optimiser(networks=critics, learning_rate=s.discriminator_learning_rate, betas=s.betas)
        return (
            Phase(
                name="train",
                sources=(s.fewest_sources, s.sources) if 0 < s.fewest_sources < s.sources else s.sources,
                generator=Optimiser(networks=("embedder", "generator"), learning_rate=s.learning_rate, betas=s.betas),
                discriminator=adversary if critics else None,
                discriminator_steps=s.discriminator_steps,
            ),
        )

    def generate(self, batch: FaceBatch) -> Drawn:
        """G(L(x_t), e_x) with e_x = Psi(E(x_1, L(x_1), L(x_t)), ...)."""
        target = _unit(landmark_pictures(batch.target.landmarks, self.size))
        return Drawn(image=self._draw(batch.sources, target), target=target)

    def generator_terms(self, batch: FaceBatch, fake: Drawn) -> Terms:
        """L(G, E, D) = L_Adv + lam_FM (lam_I L_FM(D_I) + lam_P L_FM(D_P)) + lam_VGG L_VGG, eq. 5 with eq. 2 in it."""
        w = self.settings.weights
        identity_weight = self.identity_weight(batch.progress)
        identity = _Judged(self.identity_critic, batch, fake, _unit(batch.source.image))
        pose = _Judged(self.pose_critic, batch, fake, fake.target)
        return Terms(
            identity=(w.adversarial * identity_weight, lambda: generator_hinge(scores(identity.fake))),
            pose=(w.adversarial * w.pose, lambda: generator_hinge(scores(pose.fake))),
            identity_matching=(
                w.feature_matching * identity_weight, lambda: feature_matching(identity.real, identity.fake)
            ),
            pose_matching=(w.feature_matching * w.pose, lambda: feature_matching(pose.real, pose.fake)),
            perceptual=(w.perceptual, lambda: self._perceptual(fake.image, batch.target.image)),
        )  # fmt: skip

    def discriminator_terms(self, batch: FaceBatch, fake: Drawn) -> Terms:
        """L_Id(D_I) and L_Pose(D_P), eq. 3 and 4: both learn at full weight from the first step."""
        identity = _Judged(self.identity_critic, batch, fake, _unit(batch.source.image))
        pose = _Judged(self.pose_critic, batch, fake, fake.target)
        wanted = self._critics
        return Terms(
            identity_critic=(wanted["identity_critic"], lambda: critic_hinge(*identity.both())),
            pose_critic=(wanted["pose_critic"], lambda: critic_hinge(*pose.both())),
        )

    def reenact(self, sources: Faces, driving: Faces) -> Tensor:
        """Any number of sources with the driving landmarks, (B, 3, S, S) in [-1, 1]."""
        return self._draw(sources, _unit(landmark_pictures(driving.landmarks, self.size)))

    def responsibilities(self, sources: Faces, driving: Faces) -> Tensor:
        """(B, K, S / 4, S / 4) in 0..1: the share that each source has in the embedding, place by place.

        The mean over its channels of r_i / sum_j r_j; over the sources it sums to 1. With the plain mean all are 1 / K.
        """
        _, r = self.embedder(self._seen(sources, _unit(landmark_pictures(driving.landmarks, self.size))))
        if self.settings.combination == "mean":
            r = torch.ones_like(r)
        return (r / r.sum(dim=1, keepdim=True)).mean(dim=2)

    def identity_weight(self, progress: float) -> float:
        """lambda_I: rises linearly over the first third of the training, at progress 0..1."""
        ramp = self.settings.identity_ramp
        return self.settings.weights.identity * (min(1.0, progress / ramp) if ramp else 1.0)

    @property
    def _critics(self) -> Mapping[str, float]:
        """Weight 1 for a critic from which the generator learns at some time, else 0."""
        w = self.settings.weights
        heard = bool(w.adversarial or w.feature_matching)
        return {"identity_critic": float(heard and w.identity > 0), "pose_critic": float(heard and w.pose > 0)}

    def _draw(self, sources: Faces, target: Tensor) -> Tensor:
        seen = self._seen(sources, target)
        # of one source eq. 1 is its embedding, whatever the responsibilities
        plain = self.settings.combination == "mean" or seen.shape[1] == 1
        e = self.embedder.mean(seen) if plain else combine(*self.embedder(seen))
        return 2 * self.generator(target, e) - 1

    def _seen(self, sources: Faces, target: Tensor) -> Tensor:
        """What the embedder sees of each source, (B, K, 9 or 6, S, S) in 0..1."""
        image = sources.image
        seen = [_unit(image), _unit(landmark_pictures(sources.landmarks, self.size))]
        if self.settings.targeted:
            seen.append(target[:, None].expand_as(image))
        return torch.cat(seen, dim=2)

    def _perceptual(self, fake: Tensor, target: Tensor) -> Tensor:
        if self.features is None:
            raise ValueError("the perceptual loss needs a feature network; this system was built without")
        with torch.no_grad():
            wanted = self.features.firsts(target)
        return layered(self.features.firsts(fake), wanted)


class _Judged:
    """What a critic sees in drawn and real pictures beside the same second picture, each looked at once."""

    def __init__(self, critic: nn.Module, batch: FaceBatch, fake: Drawn, beside: Tensor) -> None:
        self.critic, self.batch, self.drawn, self.beside = critic, batch, fake, beside

    @cached_property
    def fake(self) -> list[list[Tensor]]:
        """Gradients flow to the drawn picture."""
        return self.critic(torch.cat([_unit(self.drawn.image), self.beside], dim=1))

    @cached_property
    def real(self) -> list[list[Tensor]]:
        """As the goal of feature matching: without gradients."""
        with torch.no_grad():
            return self.critic(torch.cat([_unit(self.batch.target.image), self.beside], dim=1))

    def both(self) -> tuple[list[Tensor], list[Tensor]]:
        """Scores of real and drawn pictures, in one pass and with gradients for the critic alone."""
        pictures = torch.cat([self.batch.target.image, self.drawn.image.detach()])
        seen = self.critic(torch.cat([_unit(pictures), self.beside.repeat(2, 1, 1, 1)], dim=1))
        halves = [each.chunk(2) for each in scores(seen)]
        return [real for real, _ in halves], [fake for _, fake in halves]


def _check(size: int) -> None:
    """Whether the pictures' side can be halved as often as embedder and generator do."""
    step = 2 ** max(2, halvings_for(size))
    if size % step or size < SMALLEST:
        wanted = f"a multiple of {step}, {SMALLEST} at least"
        raise SettingsError(
            f"caingan: pictures of {size} px can't be halved as often as it does: make train.size {wanted}."
        )


def _unit(picture: Tensor) -> Tensor:
    """[-1, 1] -> 0..1."""
    return (picture + 1) / 2
