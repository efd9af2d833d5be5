"""A system's entry in the list of systems; free of torch, so that a list costs nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reenact.config import Settings

Label = Literal["landmarks", "actions", "pose", "segments", "landmarks3d"]


@dataclass(frozen=True, kw_only=True)
class SystemCard:
    """What is known of a system before anything heavy is imported."""

    name: str
    seed: str  # number of the source document
    title: str
    labels: tuple[Label, ...]
    variants: Mapping[str, Mapping[str, Any]]  # name -> what differs from the settings, nested as they are
    settings: type[Settings]
    build: Callable[..., Any]  # (settings, *, size: int, features: Features | None, clips: int) -> System
    needs_features: bool = True
    notes: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """As `reenact systems --json` prints it."""
        return {"name": self.name, "seed": self.seed, "title": self.title, "variants": list(self.variants),
                "labels": list(self.labels)}  # fmt: skip


def without(*terms: str) -> Mapping[str, Any]:
    """The changes of a variant whose loss lacks these terms: weight 0 each, so they are not computed."""
    return {"weights": dict.fromkeys(terms, 0.0)}
