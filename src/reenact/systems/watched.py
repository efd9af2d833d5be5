"""What a system may offer beside the protocol, so that alarms can look at it. One that offers nothing isn't asked.

masks(sources, driving)  {name: (B, ...) in 0..1}: masks that mix two pictures, as `reenact` would use them
rivals                   ((generator's term, critic's term), ...): names of losses that are equal where the critic
                         can't tell real from drawn, as with binary cross-entropy (ln 2 both)
"""

from collections.abc import Mapping

from torch import Tensor

from reenact.faces.batch import Faces
from reenact.systems.protocol import System

Rivals = tuple[tuple[str, str], ...]


def masks_of(system: System, sources: Faces, driving: Faces) -> Mapping[str, Tensor]:
    """A system's masks by name; none of a system without."""
    masks = getattr(system, "masks", None)
    return masks(sources, driving) if masks else {}


def rivals_of(system: System) -> Rivals:
    """Pairs of adversarial terms; none of a system that doesn't say so."""
    rivals: Rivals = getattr(system, "rivals", ())
    return rivals
