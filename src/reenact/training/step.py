"""One step of the training loop: the generator's, then the discriminator's on the same pictures."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer

from reenact.faces.batch import FaceBatch
from reenact.systems.protocol import Optimiser, Phase, System
from reenact.training.together import average_gradients, average_terms


def train_step(
    system: System, phase: Phase, optimisers: Sequence[Optimizer], batch: FaceBatch, *, step: int, fabric: Fabric
) -> dict[str, Tensor]:
    """One batch: the generator's step, then the discriminator's on the same pictures, detached.

    With `discriminator_steps` k the generator takes its step on every k-th batch only. Returns the unweighted terms
    by name, and the generator's weighted sum as `total`; all on the device, and means over the processes.
    """
    values: dict[str, Tensor] = {}
    if step % phase.discriminator_steps == 0:
        with fabric.autocast(), only_trains(system, phase.generator.networks):
            fake = system.generate(batch)
            total, terms = system.generator_terms(batch, fake).total()
        _descend(fabric, optimisers[0], total)
        values = {**terms, "total": total.detach()}
    else:
        with fabric.autocast(), torch.no_grad():
            fake = system.generate(batch)
    if phase.discriminator is not None:
        with fabric.autocast(), only_trains(system, phase.discriminator.networks):
            total, terms = system.discriminator_terms(batch, fake).total()
        _descend(fabric, optimisers[1], total)
        values |= terms
    return average_terms(values, fabric)


@contextmanager
def only_trains(system: System, names: Iterable[str]) -> Iterator[None]:
    """No gradients for the weights of the other networks: computing what nobody uses is a third of a step."""
    frozen = [
        weight
        for name, network in system.networks.items()
        if name not in names
        for weight in network.parameters()
        if weight.requires_grad
    ]
    for weight in frozen:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in frozen:
            weight.requires_grad_(True)


def _descend(fabric: Fabric, optimiser: Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    fabric.backward(loss)
    average_gradients((weight for group in optimiser.param_groups for weight in group["params"]), fabric)
    optimiser.step()


def adam(system: System, spec: Optimiser) -> torch.optim.Adam:
    """Adam over the weights of a group of networks; those of equal rates are one group of parameters."""
    groups: dict[float, list[nn.Parameter]] = {}
    for name in spec.networks:
        groups.setdefault(spec.gentle.get(name, 1.0), []).extend(system.networks[name].parameters())
    weights = [{"params": some, "share": share, "lr": share * spec.learning_rate} for share, some in groups.items()]
    device = next(weight.device for some in groups.values() for weight in some)
    return torch.optim.Adam(weights, lr=spec.learning_rate, betas=spec.betas, fused=device.type in ("cpu", "cuda"))


def set_rates(optimisers: Sequence[Optimizer], phase: Phase, behind: float) -> None:
    """Learning rates where a share `behind` of the phase has passed: of that alone, whatever was interrupted."""
    for optimiser, spec in zip(optimisers, specs(phase), strict=True):
        for group in optimiser.param_groups:
            group["lr"] = group["share"] * spec.rate(behind)


def specs(phase: Phase) -> list[Optimiser]:
    """The generator's, then the discriminator's where it trains."""
    return [phase.generator, *([phase.discriminator] if phase.discriminator else [])]
