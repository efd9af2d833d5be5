"""A loss as a list of named, weighted terms that one can read aloud."""

from collections.abc import Callable

import torch
from torch import Tensor

Listed = dict[str, tuple[float, Callable[[], Tensor]]]  # name -> weight and term


class Terms:
    """`Terms(pixel=(10.0, lambda: pixel(fake, real)), ...)`: a term of weight 0 is never computed."""

    def __init__(self, **terms: tuple[float, Callable[[], Tensor]]) -> None:
        self.terms = terms

    def total(self) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum, and each computed term by name: detached, unweighted scalars."""
        values = {name: term() for name, (weight, term) in self.terms.items() if weight}
        if not values:
            raise ValueError("every term has weight 0: nothing to train on")
        total = torch.stack([self.terms[name][0] * value for name, value in values.items()]).sum()
        return total, {name: value.detach() for name, value in values.items()}
