"""Several processes that train one system: each on its share of a step's samples, all with the same weights.

After every step the processes have the mean of their gradients, of their loss terms and, in batch normalisation, of
their statistics. So they do what one process does with the whole batch, up to the rounding of float sums and to
dropout, which each draws for itself. Gradients are averaged by hand, not by torch's wrapper: a system calls its
networks several times in a step, and in its own way.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from reenact.nn.shared_batch_norm import share_batch_norm


def begin_together(networks: Iterable[nn.Module], fabric: Fabric) -> None:
    """Give every process the weights and buffers of the first, and let batch normalisation look at all pictures."""
    if fabric.world_size == 1:
        return
    for network in networks:
        share_batch_norm(network)
        for values in network.state_dict().values():
            values.copy_(cast(Tensor, fabric.broadcast(values)))


def average_gradients(weights: Iterable[nn.Parameter], fabric: Fabric) -> None:
    """Replace each gradient by its mean over the processes, in one exchange."""
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    if fabric.world_size > 1 and gradients:
        nn.utils.vector_to_parameters(_mean(nn.utils.parameters_to_vector(gradients), fabric), gradients)


def average_terms(terms: Mapping[str, Tensor], fabric: Fabric) -> dict[str, Tensor]:
    """Scalars by name, each the mean over the processes: of means over shares of equal size, that of the batch."""
    if fabric.world_size == 1:
        return dict(terms)
    means: Sequence[Tensor] = list(_mean(torch.stack([value.float() for value in terms.values()]), fabric))
    return dict(zip(terms, means, strict=True))


def _mean(values: Tensor, fabric: Fabric) -> Tensor:
    return cast(Tensor, fabric.all_reduce(values, reduce_op="mean"))
