"""All that a training is at one moment: what a checkpoint holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from reenact.systems.protocol import System

History = Sequence[tuple[int, float, str, float]]  # step, seconds, name, value
Weights = dict[str, dict[str, Tensor]]  # by network and by parameter


@dataclass(kw_only=True)
class Best:
    """The weights to hand on, as things stand."""

    step: int
    value: float | None  # by the rule; None where nothing was validated
    weights: Weights


@dataclass(kw_only=True)
class State:
    """`step` batches have been seen; everything else goes with it."""

    step: int = 0
    phase: int = 0  # the phase to which `optimisers` belong
    seconds: float = 0.0
    weights: Weights = field(default_factory=dict)
    optimisers: list[Any] = field(default_factory=list)
    best: Best | None = None
    precision: dict[str, Any] = field(default_factory=dict)  # the scale of mixed precision, where it has one
    pending: list[dict[str, float]] = field(default_factory=list)  # loss terms of the steps since the last log
    history: list[tuple[int, float, str, float]] = field(default_factory=list)  # step, seconds, name, value
    batches: list[tuple[int, int]] = field(default_factory=list)  # first step, samples of each step from there on
    undrawn: tuple[int, float] = (0, 0.0)  # step and seconds before which no phase draws
    snapshots: list[tuple[int, Tensor]] = field(default_factory=list)  # step, (N, H, W, 3) uint8

    def plain(self) -> dict[str, Any]:
        """As `torch.load(weights_only=True)` reads it back."""
        return {**vars(self), "best": None if self.best is None else vars(self.best)}

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "State":
        """The inverse of `plain`."""
        known = {name: values[name] for name in cls.__dataclass_fields__}
        return cls(**{**known, "best": None if known["best"] is None else Best(**known["best"])})

    def record(self) -> dict[str, Any]:
        """What a finished training hands on: no optimisers, only the chosen weights."""
        return {**self.plain(), "weights": {}, "optimisers": [], "pending": []}


def weights_of(system: System) -> Weights:
    """A copy of all networks' weights and buffers on the CPU."""
    return {
        name: {key: value.detach().to("cpu", copy=True) for key, value in network.state_dict().items()}
        for name, network in system.networks.items()
    }


def load_weights(system: System, weights: Weights) -> None:
    """Put weights into all networks of a system."""
    with torch.no_grad():
        for name, network in system.networks.items():
            network.load_state_dict(weights[name])
