"""Zakharov et al. 2019: K pictures become one vector, the vector styles a generator that sees landmarks alone.

Read with section 3 of that paper; seed 003 compares with it as "FSHM". docs/fidelity.md lists what departs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reenact.backbones.features import Features
from reenact.faces.batch import FaceBatch, Faces
from reenact.faces.landmark_pictures import landmark_pictures
from reenact.losses.hinge import critic_hinge, generator_hinge
from reenact.losses.terms import Terms
from reenact.systems.card import Label
from reenact.systems.fewshot_heads.discriminator import ProjectionDiscriminator
from reenact.systems.fewshot_heads.embedder import PUBLISHED as EMBEDDER_HALVINGS
from reenact.systems.fewshot_heads.embedder import Embedder
from reenact.systems.fewshot_heads.finetuning import Finetuned, finetuned
from reenact.systems.fewshot_heads.generator import PUBLISHED as GENERATOR_HALVINGS
from reenact.systems.fewshot_heads.generator import Generator
from reenact.systems.fewshot_heads.losses import Seen, content, maps_apart, match
from reenact.systems.fewshot_heads.settings import FewshotSettings
from reenact.systems.protocol import Optimiser, Phase
from reenact.systems.watched import Rival
from reenact.systems.width import halvings_for, width_for

PUBLISHED_KERNEL = 9  # of the generator's first block, at 224 px and above


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What the generator made of a batch, and what it was made of."""

    image: Tensor  # (B, 3, S, S): G(L(x_t); P mean e_i)
    drawing: Tensor  # (B, 3, S, S): L(x_t)
    embeddings: Tensor  # (B, K, channels): e_i


class FewshotHeads(nn.Module):
    """The system as the training loop, evaluation and registry see it."""

    name = "fewshot_heads"
    labels: tuple[Label, ...] = ("landmarks",)
    rivals = (Rival(generator="adversarial", critic="discriminator", loss="hinge"),)
    most_sources = 16  # a mean of embeddings takes any number; pairs have at most so many

    def __init__(self, settings: FewshotSettings, *, size: int, features: Features | None, clips: int = 0) -> None:
        super().__init__()
        self.settings, self.size, self.clips = settings, size, clips
        self.features = features
        self.shots = settings.sources
        width = settings.width or width_for(size)
        halvings = halvings_for(size, published=EMBEDDER_HALVINGS)
        self.embedder = Embedder(width=width, halvings=halvings)
        self.generator = Generator(
            width=width, halvings=halvings_for(size, published=GENERATOR_HALVINGS),
            embedding=self.embedder.channels, first_kernel=kernel_for(size),
        )  # fmt: skip
        self.discriminator = ProjectionDiscriminator(width=width, halvings=halvings, clips=clips)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """By the names that optimisers, checkpoints and tables use."""
        return {"embedder": self.embedder, "generator": self.generator, "discriminator": self.discriminator}

    @property
    def phases(self) -> tuple[Phase, ...]:
        """One phase; the critic learns wherever a term asks it, as a judge or as a network that sees."""
        s = self.settings
        asked = s.weights.adversarial or s.weights.feature_matching
        adversary = Optimiser(networks=("discriminator",), learning_rate=s.discriminator_learning_rate, betas=s.betas)
        return (
            Phase(
                name="train",
                sources=s.sources,
                generator=Optimiser(networks=("embedder", "generator"), learning_rate=s.learning_rate, betas=s.betas),
                discriminator=adversary if asked else None,
                discriminator_steps=s.discriminator_steps if asked else 1,
            ),
        )

    def generate(self, batch: FaceBatch) -> Drawn:
        """G(L(x_t); P e), e the mean of the sources' embeddings."""
        embeddings = self.embeddings(batch.sources)
        drawing = self.drawing(batch.target)
        image = self.generator(drawing, self.generator.styles(embeddings.mean(dim=1)))
        return Drawn(image=image, drawing=drawing, embeddings=embeddings)

    def generator_terms(self, batch: FaceBatch, fake: Drawn) -> Terms:
        """L_G = L_adv + 10 L_FM + 10 L_CNT + 10 L_MCH."""
        weights = self.settings.weights
        seen = Seen(self.discriminator, (fake.image, batch.target.image), fake.drawing, lambda: self._person(batch))
        return Terms(
            adversarial=(weights.adversarial, lambda: generator_hinge([seen.fake.score])),
            feature_matching=(weights.feature_matching, lambda: maps_apart(seen.real.maps, seen.fake.maps)),
            content=(weights.content, lambda: content(self.features, fake.image, batch.target.image)),
            match=(weights.match, lambda: match(fake.embeddings, self._clip_vectors(batch).detach())),
        )

    def discriminator_terms(self, batch: FaceBatch, fake: Drawn) -> Terms:
        """L_D, and the clips' vectors move towards the embeddings as these do towards them: in the port both learn it.

        Real and drawn pictures pass as one batch: no layer mixes the pictures of a batch.
        """
        match_weight = self.settings.weights.match

        def hinge() -> Tensor:
            images, drawings = torch.cat([batch.target.image, fake.image.detach()]), fake.drawing.repeat(2, 1, 1, 1)
            real, drawn = self.discriminator(images, drawings, self._person(batch).repeat(2, 1)).score.chunk(2)
            return critic_hinge([real], [drawn])

        return Terms(
            discriminator=(1.0, hinge),
            clip_vectors=(match_weight, lambda: match(fake.embeddings.detach(), self._clip_vectors(batch))),
        )

    def reenact(self, sources: Faces, driving: Faces) -> Tensor:
        """The person of (B, K, ...) sources with the driving landmarks, (B, 3, S, S) in [-1, 1]; any K, any order."""
        embedding = self.embeddings(sources).mean(dim=1)
        return self.generator(self.drawing(driving), self.generator.styles(embedding))

    @property
    def finetunes(self) -> bool:
        """Not without L_MCH: a person's embedding says nothing to a critic whose vectors it was never held to."""
        return self.settings.weights.match > 0

    def finetuned(self, sources: Faces) -> Finetuned:
        """A copy fitted to the (1, K, ...) pictures of one person; see `finetuning`. This system stays as it is."""
        return finetuned(self, sources)

    def embeddings(self, faces: Faces) -> Tensor:
        """e_i of (B, K, ...) faces -> (B, K, channels)."""
        B, K = faces.image.shape[:2]
        return self.embedder(faces.image.flatten(0, 1), self.drawing(faces).flatten(0, 1)).reshape(B, K, -1)

    def drawing(self, faces: Faces) -> Tensor:
        """L(x) of (..., 68, 2) landmarks, with the inner lip as in the port -> (..., 3, S, S)."""
        return landmark_pictures(faces.landmarks, self.size, inner_lip=True)

    def _person(self, batch: FaceBatch) -> Tensor:
        return self.discriminator.person(self._clip(batch))

    def _clip_vectors(self, batch: FaceBatch) -> Tensor:
        return self.discriminator.clips[self._clip(batch)]

    def _clip(self, batch: FaceBatch) -> Tensor:
        if batch.clip is None or not self.clips:
            raise ValueError("fewshot_heads learns with the number of each training clip (FaceBatch.clip, clips)")
        return batch.clip


def kernel_for(size: int) -> int:
    """Of the generator's first block: 9 at 224 px and above, in proportion below: 5 at 128, 3 at 64."""
    return min(PUBLISHED_KERNEL, max(3, 2 * round(PUBLISHED_KERNEL * size / 224 / 2 - 0.5) + 1))
