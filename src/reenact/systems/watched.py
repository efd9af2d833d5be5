"""What a system may offer beside the protocol, so that alarms can look at it. One that offers nothing isn't asked.

masks(sources, driving)  {name: (B, ...) in 0..1}: masks that mix two pictures, as `reenact` would use them
rivals                   (Rival, ...): which of its terms are a generator's and a critic's loss on one another
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from reenact.faces.batch import Faces
from reenact.systems.protocol import System


@dataclass(frozen=True, kw_only=True)
class Rival:
    """Names of the two terms, as `generator_terms` and `discriminator_terms` call them, and what kind of loss they are.

    The terms as they are before weighting: losses.adversarial, losses.hinge, losses.least_squares.
    """

    generator: str
    critic: str
    loss: Literal["cross_entropy", "hinge", "least_squares"] = "cross_entropy"


def masks_of(system: System, sources: Faces, driving: Faces) -> Mapping[str, Tensor]:
    """A system's masks by name; none of a system without."""
    masks = getattr(system, "masks", None)
    return masks(sources, driving) if masks else {}


def rivals_of(system: System) -> tuple[Rival, ...]:
    """Pairs of adversarial terms; none of a system that doesn't say so."""
    rivals: tuple[Rival, ...] = getattr(system, "rivals", ())
    return rivals
