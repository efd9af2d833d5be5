"""The one record that travels from the sampler to every system."""

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Faces:
    """Pictures of faces with the labels that the chosen system asked for; the leading shape is (B,) or (B, K)."""

    image: Tensor  # (..., 3, H, W) in [-1, 1], RGB
    landmarks: Tensor  # (..., 68, 2) crop coordinates 0..1
    actions: Tensor | None = None  # (..., 17) 0..5
    pose: Tensor | None = None  # (..., 3) degrees
    segments: Tensor | None = None  # (..., 128, 128) uint8: 0 background, 1 face, 2 hair
    landmarks3d: Tensor | None = None  # (..., 68, 3)
    visibility: Tensor | None = None  # (..., 68) 0..1

    def to(self, device: torch.device | str) -> "Faces":
        """All tensors on a device."""
        return self._each(lambda tensor: tensor.to(device))

    def __getitem__(self, index: object) -> "Faces":
        return self._each(lambda tensor: tensor[index])

    def _each(self, function: object) -> "Faces":
        present = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: function(t) for name, t in present.items() if t is not None})  # type: ignore[operator]


@dataclass(frozen=True, kw_only=True)
class FaceBatch:
    """One training batch: K sources, a target to be drawn and, where a system wants it, a third frame."""

    sources: Faces  # (B, K, ...)
    target: Faces  # (B, ...)
    third: Faces | None = None  # (B, ...), another frame of the same clip
    identity: Tensor | None = None  # (B,) int64, index of the training identity
    phase: str = ""  # name of the phase that trains on it; "" outside a training
    clip: Tensor | None = None  # (B,) int64, index of the training clip that the sources are from
    progress: float = 1.0  # share of the training that lies behind, 0..1: schedules follow it

    @property
    def source(self) -> Faces:
        """The first source, (B, ...)."""
        return self.sources[:, 0]

    def to(self, device: torch.device | str) -> "FaceBatch":
        """All tensors on a device."""
        return replace(
            self,
            sources=self.sources.to(device),
            target=self.target.to(device),
            third=None if self.third is None else self.third.to(device),
            identity=None if self.identity is None else self.identity.to(device),
            clip=None if self.clip is None else self.clip.to(device),
        )
