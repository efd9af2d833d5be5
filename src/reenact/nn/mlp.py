"""Fully connected networks."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def mlp(sizes: Sequence[int], *, slope: float = 0.2) -> nn.Sequential:
    """(B, sizes[0]) -> (B, sizes[-1]): a leaky ReLU between layers, none after the last, no norm."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(slope)]
    return nn.Sequential(*layers[:-1])
