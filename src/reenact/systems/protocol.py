"""What the training loop, evaluation and registry ask of a system."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from torch import Tensor, nn

from reenact.faces.batch import FaceBatch, Faces
from reenact.losses.terms import Terms

Label = Literal["landmarks", "actions", "pose", "segments", "landmarks3d"]


@dataclass(frozen=True, kw_only=True)
class Optimiser:
    """Adam for one group of networks."""

    networks: tuple[str, ...]
    learning_rate: float
    betas: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Phase:
    """What trains, on which pairs: a system trains its phases in order."""

    name: str
    pairs: Literal["self", "cross"] = "self"
    share: float = 1.0  # of the training samples
    sources: int = 1  # K
    third: bool = False  # the sampler adds a third frame of the same clip
    generator: Optimiser
    discriminator: Optimiser | None = None
    discriminator_steps: int = 1  # per generator step


class System(Protocol):
    """A method with its networks, losses and use. Networks are attributes of one nn.Module, named in `networks`."""

    name: str
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


@dataclass(frozen=True, kw_only=True)
class SystemCard:
    """A system's entry in the list of systems."""

    name: str
    seed: str  # number of the source document
    title: str
    labels: tuple[Label, ...]
    variants: Mapping[str, Mapping[str, float]]  # name -> settings that differ from `full`
    settings: type  # its Settings class
    build: Any  # (settings, *, size, features) -> System
    needs_features: bool = True
    notes: tuple[str, ...] = field(default=())
