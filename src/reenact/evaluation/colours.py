"""Whether somebody exchanged red and blue: what a row drew, beside the real pictures of the same people."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reenact.evaluation.scoring import Scored

LEAST = 0.02  # of the whole range: nearly grey pictures say nothing about the order
CLOSER = 0.5  # an exchange has to halve the distance ...
OFTEN = 0.9  # ... and bring this share of the pictures nearer


@dataclass(frozen=True)
class Colours:
    """Mean distance of the mean colours of generated and source picture, 0..1: as they are, and with red as blue."""

    straight: float
    exchanged: float
    share: float  # of pictures that the exchange brings nearer

    @property
    def suspect(self) -> bool:
        """Whether red and blue look exchanged."""
        return self.straight > LEAST and self.exchanged < CLOSER * self.straight and self.share > OFTEN


def colours_of(groups: Sequence[Scored]) -> Colours | None:
    """Of all pictures that a row drew; None where it drew none. Source and generated show one person in one place."""
    drawn = [_means(group.generated.pictures[group.generated.usable]) for group in groups]
    real = [_means(group.source.pictures[group.generated.usable]) for group in groups]
    ours, theirs = np.concatenate(drawn), np.concatenate(real)
    if not len(ours):
        return None
    straight = np.abs(ours - theirs).mean(axis=1)
    exchanged = np.abs(ours[:, ::-1] - theirs).mean(axis=1)
    return Colours(float(straight.mean()), float(exchanged.mean()), float((exchanged < straight).mean()))


def _means(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N, S, S, 3) -> (N, 3) in 0..1."""
    return np.asarray(pictures.mean(axis=(1, 2), dtype=np.float64) / 255.0).reshape(-1, 3)
