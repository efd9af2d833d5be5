"""What the training loop, evaluation and registry ask of a system."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeGuard

from torch import Tensor, nn

from reenact.config import Settings
from reenact.faces.batch import FaceBatch, Faces
from reenact.losses.terms import Terms
from reenact.systems.card import Label


@dataclass(frozen=True, kw_only=True)
class Optimiser:
    """Adam for one group of networks."""

    networks: tuple[str, ...]
    learning_rate: float
    betas: tuple[float, float]
    decay_from: float = 1.0  # share of its phase from which the rate falls linearly, to 0 at the end; 1: constant
    gentle: Mapping[str, float] = field(default_factory=dict)  # networks that learn at that share of the rate, 0..1

    def rate(self, behind: float) -> float:
        """The learning rate where a share `behind` (0..1, below 1) of the phase has passed."""
        if behind <= self.decay_from:
            return self.learning_rate
        return self.learning_rate * (1 - behind) / (1 - self.decay_from)


@dataclass(frozen=True, kw_only=True)
class Phase:
    """What trains, on which pairs: a system trains its phases in order."""

    name: str
    pairs: Literal["self", "cross"] = "self"
    share: float = 1.0  # of the training samples
    sources: int | tuple[int, int] = 1  # K, or the least and most: drawn anew for each batch
    third: bool = False  # the sampler adds a third frame of the same clip
    batch: int = 0  # samples of a step; 0: train.batch
    draws: bool = True  # False: no picture: none is read, nothing validated, no alarm looks meanwhile
    generator: Optimiser
    discriminator: Optimiser | None = None
    discriminator_steps: int = 1  # per generator step


class System(Protocol):
    """A method with its networks, losses and use. Networks are attributes of one nn.Module, named in `networks`."""

    name: str
    settings: Settings
    size: int  # side of its pictures in pixels
    features: Any  # backbones.features.Features its losses use, or None
    labels: tuple[Label, ...]  # of sources and driving faces
    networks: Mapping[str, nn.Module]
    phases: tuple[Phase, ...]

    def generate(self, batch: FaceBatch) -> Any:
        """What the generator makes of a batch: a (B, 3, H, W) tensor or a record with `.image`; keeps the graph."""

    def generator_terms(self, batch: FaceBatch, fake: Any) -> Terms:
        """Loss of the generator's step on its own output."""

    def discriminator_terms(self, batch: FaceBatch, fake: Any) -> Terms:
        """Loss of the discriminator's step; detaches what it takes from the generator."""

    def reenact(self, sources: Faces, driving: Faces) -> Tensor:
        """(B, K, ...) sources, (B, ...) driving labels (its image is never read) -> (B, 3, H, W) in [-1, 1]."""


def most_sources(system: System) -> int:
    """Source pictures that a system makes use of: its attribute `most_sources`; without one it looks at the first."""
    return int(getattr(system, "most_sources", 1))


def exact_sources(system: System) -> bool:
    """Whether a system draws from its K source pictures only, never from fewer or more: its attribute."""
    return bool(getattr(system, "exact_sources", False))


def sources_of(phase: Phase) -> tuple[int, int]:
    """The least and most source pictures of a phase's batches."""
    return phase.sources if isinstance(phase.sources, tuple) else (phase.sources, phase.sources)


def own_shots(system: System) -> int:
    """Source pictures that a system was trained with, its attribute `shots`: its K where nobody says otherwise."""
    return int(getattr(system, "shots", 1))


class FineTunes(System, Protocol):
    """A system that can be fitted to a few pictures of one person."""

    def finetuned(self, sources: Faces) -> System:
        """A copy that draws the person of (1, K, ...) sources whatever sources it is given; this one stays as it is."""


def can_finetune(system: System) -> TypeGuard[FineTunes]:
    """Whether a system has a method `finetuned` and was trained so that it may be used (its attribute `finetunes`)."""
    return hasattr(system, "finetuned") and bool(getattr(system, "finetunes", True))


def untransformed(system: System) -> System:
    """The system without what it learned about landmarks of other people.

    A system that transforms the driver's landmarks before it draws has an attribute `untransformed`, which doesn't;
    any other is its own.
    """
    bare: System = getattr(system, "untransformed", system)
    return bare
