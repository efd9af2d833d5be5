"""What a system may offer to its users beside the protocol: motion unit by unit, a background of choice.

moves_by_actions                             whether action units and pose decide what is drawn: then edits of them show
on_background(sources, driving, background)  draws before (B, 3, S, S) in [-1, 1] in place of the source's surroundings
mask_on(sources, driving, background)        (B, S, S) in 0..1: where it draws, and doesn't show that background
mixes                                        False: there is no such mixer in this variant, or none that is trained
unmixed                                      the system without its mixer, as a system of its own
"""

from typing import Protocol, TypeGuard

from torch import Tensor

from reenact.faces.batch import Faces
from reenact.systems.protocol import System


class Edits(System, Protocol):
    """A system that draws what the driving face's action units and pose say, whatever its landmarks are."""

    @property
    def moves_by_actions(self) -> bool: ...


class Backgrounds(System, Protocol):
    """A system that puts the face it draws before any picture."""

    def on_background(self, sources: Faces, driving: Faces, background: Tensor) -> Tensor:
        """(B, 3, S, S) in [-1, 1] before `background`, of the same shape and range."""

    def mask_on(self, sources: Faces, driving: Faces, background: Tensor) -> Tensor:
        """(B, S, S) in 0..1, 1 where nothing of `background` shows."""


def can_edit(system: System) -> TypeGuard[Edits]:
    """Whether changed action units and pose change what a system draws."""
    return bool(getattr(system, "moves_by_actions", False))


def can_swap_background(system: System) -> TypeGuard[Backgrounds]:
    """Whether a system draws before a given background: it has the method, and its mixer is there and trained."""
    return hasattr(system, "on_background") and bool(getattr(system, "mixes", True))


def unmixed(system: System) -> System | None:
    """The system without its background mixer, None where it offers none."""
    bare: System | None = getattr(system, "unmixed", None)
    return bare
