"""Figures on fixed pairs of the validation part: by these, weights are chosen."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from reenact.corpus.sampling import Sampler
from reenact.faces.batch import FaceBatch
from reenact.systems.protocol import System


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Pairs 0..pairs-1 of a sampler that never flips and whose seed is the same for every branch."""

    sampler: Sampler
    pairs: int
    batch: int
    device: torch.device

    def batches(self) -> Iterator[FaceBatch]:
        """The pairs, read again each time: a second costs less than their memory."""
        for first in range(0, self.pairs, self.batch):
            yield self.sampler.batch(range(first, min(first + self.batch, self.pairs)), self.device)

    def measure(self, system: System) -> dict[str, float]:
        """`val_l1` and `val_mse` between generated and target pictures of range 0..1, means over pairs."""
        with in_use(system):
            return self._mean([_errors(system.reenact(b.sources, b.target), b.target.image) for b in self.batches()])

    def copying(self) -> dict[str, float]:
        """The same figures for a system that hands back its source: `val_l1_copy_source`, `val_mse_copy_source`."""
        figures = self._mean([_errors(batch.source.image, batch.target.image) for batch in self.batches()])
        return {f"{name}_copy_source": value for name, value in figures.items()}

    def _mean(self, errors: list[Tensor]) -> dict[str, float]:
        l1, mse = torch.cat(errors).mean(dim=0).tolist()
        return {"val_l1": l1, "val_mse": mse}


def _errors(image: Tensor, target: Tensor) -> Tensor:
    """(B, 3, H, W) twice, in [-1, 1] -> (B, 2) float64 on the CPU: mean absolute and squared error of range 0..1."""
    difference = (image.detach().double() - target.double()) / 2
    return torch.stack([difference.abs().mean(dim=(1, 2, 3)), difference.square().mean(dim=(1, 2, 3))], dim=1).cpu()


@contextmanager
def in_use(system: System) -> Iterator[None]:
    """The system as it is used: evaluation mode, no gradients; afterwards its networks are in training mode."""
    for network in system.networks.values():
        network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for network in system.networks.values():
            network.train()


def draw(system: System, probes: FaceBatch) -> Tensor:
    """(N, 3, H, W) for the probes."""
    with in_use(system):
        return system.reenact(probes.sources, probes.target)
