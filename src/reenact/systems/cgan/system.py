"""Seed 000: a U-Net draws the person of a source picture with the target's landmarks; six terms train it.

Read with section 3 of the source document; docs/fidelity.md lists what departs from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from reenact.backbones.features import FeatureMaps, Features
from reenact.faces.batch import FaceBatch, Faces
from reenact.faces.heatmaps import Profiles, profiles
from reenact.losses.adversarial import real_or_fake, towards_real
from reenact.losses.consistency import self_consistency, triple_consistency
from reenact.losses.identity import identity
from reenact.losses.perceptual import perceptual
from reenact.losses.pixel import pixel
from reenact.losses.terms import Terms
from reenact.nn.modes import frozen
from reenact.nn.patchgan import PatchGAN
from reenact.nn.unet import UNet
from reenact.systems.card import Label
from reenact.systems.cgan.settings import CganSettings
from reenact.systems.protocol import Optimiser, Phase
from reenact.systems.watched import Rival


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What the generator made of a batch, and the heatmaps it was asked with."""

    image: Tensor  # (B, 3, S, S): G(I_s; e_t)
    third: Tensor | None  # (B, 3, S, S): G(I_s; e_m), where triple consistency wants it
    target: Profiles  # e_t


class Cgan(nn.Module):
    """The system as the training loop, evaluation and registry see it."""

    name = "cgan"
    labels: tuple[Label, ...] = ("landmarks",)
    rivals = (Rival(generator="adversarial", critic="discriminator"),)

    def __init__(self, settings: CganSettings, *, size: int, features: Features | None) -> None:
        super().__init__()
        self.settings, self.size = settings, size
        self.features = features
        self.generator = UNet(
            width=settings.width, dropout=settings.dropout, bottleneck_dropout=settings.bottleneck_dropout
        )
        self.discriminator = PatchGAN(width=settings.discriminator_width, dropout=settings.discriminator_dropout)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """By the names that optimisers, checkpoints and tables use."""
        return {"generator": self.generator, "discriminator": self.discriminator}

    @property
    def phases(self) -> tuple[Phase, ...]:
        """One phase. Every variant asks for the third frame, so that all of them are trained on the same samples."""
        s = self.settings
        adversary = Optimiser(networks=("discriminator",), learning_rate=s.discriminator_learning_rate, betas=s.betas)
        return (
            Phase(
                name="train",
                third=True,
                generator=Optimiser(networks=("generator",), learning_rate=s.learning_rate, betas=s.betas),
                discriminator=adversary if s.weights.adversarial else None,
            ),
        )

    def generate(self, batch: FaceBatch) -> Drawn:
        """G(I_s; e_t), and G(I_s; e_m) in the same pass: no layer of the generator mixes images of a batch."""
        target = self._heatmaps(batch.target)
        if not self.settings.weights.triple or batch.third is None:
            return Drawn(image=self.generator(batch.source.image, target), third=None, target=target)
        both = _pair(target, self._heatmaps(batch.third))
        image, third = self.generator(batch.source.image.repeat(2, 1, 1, 1), both).chunk(2)
        return Drawn(image=image, third=third, target=target)

    def generator_terms(self, batch: FaceBatch, fake: Drawn) -> Terms:
        """L_G = L_adv + 10 L_pix + 100 L_self + 100 L_triple + 10 L_pp + 1 L_id."""
        weights = self.settings.weights
        source, target = batch.source.image, batch.target.image
        second = _SecondPass(self, batch, fake)
        seen = _Seen(self, fake.image, target)
        return Terms(
            adversarial=(weights.adversarial, lambda: towards_real(self._judge(fake))),
            pixel=(weights.pixel, lambda: pixel(fake.image, target)),
            self_consistency=(weights.self_consistency, lambda: self_consistency(second.back, source)),
            triple=(weights.triple, lambda: triple_consistency(second.via_third, fake.image)),
            perceptual=(weights.perceptual, lambda: perceptual(seen.fake.stages, seen.target.stages)),
            identity=(weights.identity, lambda: identity(seen.fake.identity, seen.target.identity)),
        )

    def discriminator_terms(self, batch: FaceBatch, fake: Drawn) -> Terms:
        """L_D. Real and fake pass as one batch: batch normalisation then learns the mixture it meets in L_adv."""

        def both() -> Tensor:
            images = torch.cat([batch.target.image, fake.image.detach()])
            return real_or_fake(*self.discriminator(images, _pair(fake.target, fake.target)).chunk(2))

        return Terms(discriminator=(1.0, both))

    def reenact(self, sources: Faces, driving: Faces) -> Tensor:
        """The first source with the driving landmarks, (B, 3, S, S) in [-1, 1]."""
        return self.generator(sources.image[:, 0], self._heatmaps(driving))

    def _judge(self, fake: Drawn) -> Tensor:
        # evaluation mode while the generator trains: the authors' habit; see docs/fidelity.md
        with frozen(self.discriminator) as discriminator:
            return discriminator(fake.image, fake.target)

    def _heatmaps(self, faces: Faces) -> Profiles:
        settings = self.settings
        return profiles(faces.landmarks, self.size, variance=settings.heatmap_variance, peak=settings.heatmap_peak)


class _SecondPass:
    """What the generator makes of its own pictures: both terms that need it share one pass, made when first asked."""

    def __init__(self, system: Cgan, batch: FaceBatch, fake: Drawn) -> None:
        self.system, self.batch, self.fake = system, batch, fake

    @cached_property
    def _both(self) -> tuple[Tensor, Tensor]:
        assert self.fake.third is not None
        asked = _pair(self.system._heatmaps(self.batch.source), self.fake.target)
        back, via = self.system.generator(torch.cat([self.fake.image, self.fake.third]), asked).chunk(2)
        return back, via

    @property
    def back(self) -> Tensor:
        """G(G(I_s; e_t); e_s)."""
        if self.fake.third is None:
            return self.system.generator(self.fake.image, self.system._heatmaps(self.batch.source))
        return self._both[0]

    @property
    def via_third(self) -> Tensor:
        """G(G(I_s; e_m); e_t)."""
        if self.fake.third is None:
            raise ValueError("triple consistency needs a batch with a third frame")
        if not self.system.settings.weights.self_consistency:
            return self.system.generator(self.fake.third, self.fake.target)
        return self._both[1]


class _Seen:
    """What the frozen network sees in the generated picture and in the target, each computed once."""

    def __init__(self, system: Cgan, fake: Tensor, target: Tensor) -> None:
        self.system, self.pictures = system, (fake, target)

    @cached_property
    def fake(self) -> FeatureMaps:
        return self._network.maps(self.pictures[0])

    @cached_property
    def target(self) -> FeatureMaps:
        with torch.no_grad():
            return self._network.maps(self.pictures[1])

    @property
    def _network(self) -> Features:
        if self.system.features is None:
            raise ValueError("perceptual and identity losses need a feature network; this system was built without")
        return self.system.features


def _pair(a: Profiles, b: Profiles) -> Profiles:
    return Profiles(rows=torch.cat([a.rows, b.rows]), columns=torch.cat([a.columns, b.columns]))
