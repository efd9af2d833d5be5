"""Using a network without training it."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def frozen(network: nn.Module) -> Iterator[nn.Module]:
    """Evaluation mode and no gradients for the network's own weights; gradients still flow through it to its input.

    What was before comes back at the end. The weights' flags matter while the graph is made, so a later backward
    pass computes no gradient for them either.
    """
    modes = [(module, module.training) for module in network.modules()]
    flags = [(weight, weight.requires_grad) for weight in network.parameters()]
    network.eval()
    for weight, _ in flags:
        weight.requires_grad_(False)
    try:
        yield network
    finally:
        for module, mode in modes:
            module.training = mode
        for weight, flag in flags:
            weight.requires_grad_(flag)
