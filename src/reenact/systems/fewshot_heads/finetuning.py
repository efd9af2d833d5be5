"""Fitting a trained system to the few pictures of one person: section 3.4 of Zakharov et al. 2019.

The styles psi = P e become numbers of their own, the critic's vector of the person is w' = w_0 + e, and both networks
learn on from there, each picture the target of its own landmarks. The embedder is done.
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from reenact.errors import BadInput
from reenact.faces.batch import Faces
from reenact.faces.landmark_pictures import landmark_pictures
from reenact.losses.hinge import critic_hinge, generator_hinge
from reenact.losses.terms import Terms
from reenact.systems.card import Label
from reenact.systems.fewshot_heads.discriminator import ProjectionDiscriminator
from reenact.systems.fewshot_heads.generator import Generator
from reenact.systems.fewshot_heads.losses import Seen, content, maps_apart
from reenact.systems.given import check_sources

if TYPE_CHECKING:
    from reenact.systems.fewshot_heads.system import FewshotHeads

SEED = 0  # of the order in which pictures are looked at


@dataclass(frozen=True, kw_only=True)
class Shots:
    """A person's pictures."""

    image: Tensor  # (T, 3, S, S) in [-1, 1]
    drawing: Tensor  # (T, 3, S, S): their landmark pictures

    def __getitem__(self, index: Tensor) -> "Shots":
        return Shots(image=self.image[index], drawing=self.drawing[index])


class Person(nn.Module):
    """Copies of both networks that are one person's: psi (1, rows of P) and w' (1, channels) learn with them."""

    def __init__(self, system: "FewshotHeads", embedding: Tensor) -> None:
        super().__init__()
        self.generator: Generator = deepcopy(system.generator)
        self.discriminator: ProjectionDiscriminator = deepcopy(system.discriminator)
        self.psi = nn.Parameter(self.generator.styles(embedding).detach().clone())
        self.own = nn.Parameter((self.discriminator.common + embedding).detach().clone())

    def draw(self, drawing: Tensor) -> Tensor:
        """(B, 3, S, S) landmark pictures -> pictures of the person."""
        return self.generator(drawing, self.psi.expand(len(drawing), -1))

    def generator_terms(self, system: "FewshotHeads", shots: Shots, fake: Tensor) -> Terms:
        """The training's loss without the match, since no vector is left to be matched."""
        weights = system.settings.weights
        seen = Seen(self.discriminator, (fake, shots.image), shots.drawing, lambda: self.own)
        return Terms(
            adversarial=(weights.adversarial, lambda: generator_hinge([seen.fake.score])),
            feature_matching=(weights.feature_matching, lambda: maps_apart(seen.real.maps, seen.fake.maps)),
            content=(weights.content, lambda: content(system.features, fake, shots.image)),
        )

    def critic_loss(self, shots: Shots, fake: Tensor) -> Tensor:
        """The hinge loss of real pictures against drawn ones, as one batch."""
        images, drawings = torch.cat([shots.image, fake.detach()]), shots.drawing.repeat(2, 1, 1, 1)
        real, drawn = self.discriminator(images, drawings, self.own).score.chunk(2)
        return critic_hinge([real], [drawn])


class Finetuned:
    """A system of one person: it draws that one whatever sources it is given."""

    def __init__(self, system: "FewshotHeads", person: Person) -> None:
        self.name, self.settings, self.size = system.name, system.settings, system.size
        self.labels: tuple[Label, ...] = system.labels
        self.person = person

    def reenact(self, sources: Faces, driving: Faces) -> Tensor:
        """The person with the driving landmarks, (B, 3, S, S) in [-1, 1]; the sources are not looked at."""
        return self.person.draw(landmark_pictures(driving.landmarks, self.size, inner_lip=True))


def finetuned(system: "FewshotHeads", sources: Faces) -> Finetuned:
    """Fit copies of the networks to (1, T, ...) or (T, ...) pictures of one person. The same pictures, the same bits.

    As in the port, two steps of the critic follow each of the generator on the same pictures. Raises BadInput where
    the loss needs a feature network that isn't there.
    """
    if system.settings.weights.content and system.features is None:
        raise BadInput(
            f"{system.name}: fine-tuning needs the feature network of the training: load the system with it."
        )
    settings = system.settings.finetune
    # whoever draws does so in inference mode, whose tensors can't be learned from
    with torch.inference_mode(False), torch.enable_grad():
        shots, embedding = _shots(system, sources)
        person = Person(system, embedding).train()
        rates = (settings.learning_rate, settings.discriminator_learning_rate)
        drawer, critic = (
            torch.optim.Adam(weights, lr=rate, betas=system.settings.betas, fused=embedding.device.type != "mps")
            for weights, rate in zip(_learning(person), rates, strict=True)
        )
        order = torch.Generator().manual_seed(SEED)
        for _ in range(settings.epochs):
            batches = torch.randperm(len(shots.image), generator=order).split(settings.batch)
            for index in batches:
                _step(system, person, shots[index.to(embedding.device)], drawer, critic)
        return Finetuned(system, person.eval())


def _shots(system: "FewshotHeads", sources: Faces) -> tuple[Shots, Tensor]:
    """The pictures, and the mean of their embeddings (1, channels)."""
    image, landmarks = sources.image.clone(), sources.landmarks.clone()
    one = Faces(image=image.flatten(0, -4)[None], landmarks=landmarks.flatten(0, -3)[None])
    check_sources(one, size=system.size)
    with torch.no_grad():
        return Shots(image=one.image[0], drawing=system.drawing(one)[0]), system.embeddings(one).mean(dim=1)


def _learning(person: Person) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """What the generator's steps change, and what the critic's do; P and the clips' vectors are no part of it."""
    drawer = [w for name, w in person.generator.named_parameters() if name != "projection"]
    critic = [w for name, w in person.discriminator.named_parameters() if name not in ("clips", "common")]
    return [*drawer, person.psi], [*critic, person.own]


def _step(
    system: "FewshotHeads", person: Person, shots: Shots, drawer: torch.optim.Optimizer, critic: torch.optim.Optimizer
) -> None:
    fake = person.draw(shots.drawing)
    loss, _ = person.generator_terms(system, shots, fake).total()
    _descend(drawer, loss)
    weights = system.settings.weights
    if weights.adversarial or weights.feature_matching:
        for _ in range(system.settings.discriminator_steps):
            _descend(critic, person.critic_loss(shots, fake))


def _descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
