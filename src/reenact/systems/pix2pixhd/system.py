"""pix2pixHD as seed 003 trains it: all source pictures at once are the input of an image-to-image network.

The generator sees K source pictures, their landmark pictures and the target's, 6K + 3 channels; so does the
discriminator, beside the picture it judges. Read with Wang et al. 2018; docs/fidelity.md lists what departs from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from reenact.backbones.features import Features
from reenact.errors import BadInput, SettingsError
from reenact.faces.batch import FaceBatch, Faces
from reenact.faces.landmark_pictures import landmark_pictures
from reenact.losses.feature_matching import feature_matching
from reenact.losses.least_squares import critic_least_squares, generator_least_squares
from reenact.losses.perceptual import layered
from reenact.losses.terms import Terms
from reenact.nn.beside import first_answers, judged, pyramid
from reenact.nn.modes import frozen
from reenact.nn.multiscale import MultiScale, scores
from reenact.nn.pix2pixhd import GlobalGenerator, LocalEnhancer, doubled, halved, normal_start
from reenact.systems.card import Label
from reenact.systems.pix2pixhd.settings import Pix2PixHDSettings
from reenact.systems.protocol import Optimiser, Phase
from reenact.systems.watched import Rival
from reenact.systems.width import halvings_for, width_for

Maps = list[list[Tensor]]  # scales x layers, the last of each the scores
HALF_SIZE, ENHANCER, TOGETHER = "half_size", "enhancer", "together"  # phases of a training with an enhancer


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What the generator made of a batch; while it trains at half size, all are."""

    image: Tensor  # (B, 3, S, S)
    target: Tensor  # (B, 3, S, S): what it should have been
    condition: tuple[Tensor, ...]  # (B, 6K + 3, S, S): what it was made from, as each of the critic's scales sees it


class Pix2PixHD(nn.Module):
    """The system as the training loop, evaluation and registry see it."""

    name = "pix2pixhd"
    labels: tuple[Label, ...] = ("landmarks",)
    rivals = (Rival(generator="adversarial", critic="discriminator", loss="least_squares"),)
    exact_sources = True

    def __init__(self, settings: Pix2PixHDSettings, *, size: int, features: Features | None) -> None:
        super().__init__()
        self.settings, self.size, self.features = settings, size, features
        self.shots = self.most_sources = settings.sources
        channels = 6 * settings.sources + 3
        own = size // 2 if settings.enhancer else size  # the side that the global generator draws
        halvings = settings.halvings or halvings_for(own)
        width = settings.width or width_for(own)
        _check(settings, size, width, halvings)
        self.generator = GlobalGenerator(channels, width=width, halvings=halvings, blocks=settings.blocks)
        self.enhancer = (
            LocalEnhancer(channels, width=width // 2, blocks=settings.enhancer_blocks) if settings.enhancer else None
        )
        self.discriminator = MultiScale(
            channels + 3,
            width=settings.discriminator_width or width_for(size),
            scales=settings.scales,
            layers=settings.layers,
        )
        self.apply(normal_start)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """By the names that optimisers, checkpoints and tables use."""
        enhancer = {} if self.enhancer is None else {"enhancer": self.enhancer}
        return {"generator": self.generator, **enhancer, "discriminator": self.discriminator}

    @property
    def phases(self) -> tuple[Phase, ...]:
        """One phase; with an enhancer three: the global generator at half size, the enhancer alone, both."""
        s = self.settings
        if self.enhancer is None:
            return (self._phase("train", "generator", decay_from=s.decay_from),)
        shares = s.shares
        # the last two are one training, in which the rate falls from the same share on as in the first
        late = (s.decay_from * (shares.enhancer + shares.together) - shares.enhancer) / shares.together
        return (
            self._phase(HALF_SIZE, "generator", share=shares.half_size, decay_from=s.decay_from),
            self._phase(ENHANCER, "enhancer", share=shares.enhancer),
            self._phase(TOGETHER, "generator", "enhancer", share=shares.together, decay_from=max(0.0, late)),
        )

    def _phase(self, name: str, *networks: str, share: float = 1.0, decay_from: float = 1.0) -> Phase:
        s = self.settings

        def optimiser(*names: str) -> Optimiser:
            return Optimiser(networks=names, learning_rate=s.learning_rate, betas=s.betas, decay_from=decay_from)

        wanted = s.weights.adversarial or s.weights.feature_matching
        return Phase(
            name=name,
            share=share,
            sources=s.sources,
            generator=optimiser(*networks),
            discriminator=optimiser("discriminator") if wanted else None,
        )

    def generate(self, batch: FaceBatch) -> Drawn:
        """The target from the sources, at half size in the phase that trains the global generator alone."""
        condition, target = self._condition(batch.sources, batch.target.landmarks), batch.target.image
        if self.enhancer is None:
            image = self.generator(condition)
        elif batch.phase == HALF_SIZE:
            condition, target = halved(condition), halved(target)
            image = self.generator(condition)
        else:
            self.enhancer.begun.fill_(True)
            image = self._enhanced(self.enhancer, condition)
        return Drawn(image=image, target=target, condition=pyramid(condition, self.settings.scales))

    def generator_terms(self, batch: FaceBatch, fake: Drawn) -> Terms:
        """L_G = sum over scales of (D - 1)^2 + 10 L_FM + 10 L_VGG."""
        s, seen = self.settings, _Judged(self, fake)
        return Terms(
            adversarial=(s.weights.adversarial * s.scales, lambda: generator_least_squares(scores(seen.fake))),
            feature_matching=(
                s.weights.feature_matching * 4 / (s.layers + 1),
                lambda: feature_matching(seen.real, seen.fake),
            ),
            perceptual=(s.weights.perceptual, lambda: self._perceptual(fake)),
        )

    def discriminator_terms(self, batch: FaceBatch, fake: Drawn) -> Terms:
        """L_D = 0.5 ((D(real) - 1)^2 + D(fake)^2). Both pass as one batch: no layer mixes images."""

        def both() -> Tensor:
            pictures = torch.cat([fake.target, fake.image.detach()])
            maps = judged(self.discriminator, first_answers(self.discriminator, fake.condition), pictures)
            real, drawn = zip(*(scale.chunk(2) for scale in scores(maps)), strict=True)
            return critic_least_squares(real, drawn)

        return Terms(discriminator=(1.0, both))

    def reenact(self, sources: Faces, driving: Faces) -> Tensor:
        """The person of all K sources with the driving landmarks, (B, 3, S, S) in [-1, 1].

        An enhancer that training hasn't reached yet draws noise: until then the half-size picture is enlarged.
        Raises BadInput for another number of sources than the network was built for.
        """
        condition = self._condition(sources, driving.landmarks)
        if self.enhancer is None:
            return self.generator(condition)
        if not self.enhancer.begun:
            return doubled(self.generator(halved(condition)))
        return self._enhanced(self.enhancer, condition)

    def _enhanced(self, enhancer: LocalEnhancer, condition: Tensor) -> Tensor:
        return enhancer(condition, self.generator.features(halved(condition)))

    def _condition(self, sources: Faces, driving: Tensor) -> Tensor:
        """K pictures, their K landmark pictures and the target's as (B, 6K + 3, S, S)."""
        K = sources.image.shape[1]
        if self.shots != K:
            raise BadInput(
                f"pix2pixhd was trained for {self.shots} source pictures and takes no other number, given {K}: "
                f"repeat or leave out some, or train it with systems.pix2pixhd.sources: {K}."
            )
        asked = torch.cat([sources.landmarks, driving[:, None]], dim=1)
        drawings = landmark_pictures(asked, self.size).to(sources.image.dtype)
        return torch.cat([sources.image.flatten(1, 2), drawings.flatten(1, 2)], dim=1)

    def _perceptual(self, fake: Drawn) -> Tensor:
        if self.features is None:
            raise ValueError("the perceptual loss needs a feature network; this system was built without")
        with torch.no_grad():
            target = self.features.firsts(fake.target)
        return layered(self.features.firsts(fake.image), target)


class _Judged:
    """What the discriminator sees in the drawn picture and in the target, each computed when first asked for."""

    def __init__(self, system: Pix2PixHD, drawn: Drawn) -> None:
        self.critic, self.drawn = system.discriminator, drawn

    @cached_property
    def fake(self) -> Maps:
        with frozen(self.critic):
            return judged(self.critic, self._answers, self.drawn.image)

    @cached_property
    @torch.no_grad()
    def real(self) -> Maps:
        return judged(self.critic, self._answers, self.drawn.target)

    @cached_property
    @torch.no_grad()
    def _answers(self) -> list[Tensor]:
        return first_answers(self.critic, self.drawn.condition)


def _check(settings: Pix2PixHDSettings, size: int, width: int, halvings: int) -> None:
    """Whether the pictures' side can be halved as often as asked."""
    times = halvings + int(settings.enhancer)
    if size % 2**times or size < 2 ** (times + 1):
        raise SettingsError(
            f"systems.pix2pixhd: {size} px can't be halved {times} times to a whole number above 1: lower "
            f"systems.pix2pixhd.halvings or make train.size a multiple of {2**times}."
        )
    if settings.enhancer and width % 2:
        raise SettingsError(f"systems.pix2pixhd.width: the enhancer has half of it, and {width} is odd.")
