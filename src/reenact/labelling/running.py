"""Figures over more values than fit into memory: added piece by piece."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_EXACT = 500_000  # values up to which quantiles are those of the values themselves
_EDGES = np.geomspace(1e-5, 1e3, 40_000)  # beyond, bins half a thousandth wide


@dataclass
class Mean:
    """Of the finite values."""

    total: float = 0.0
    count: int = 0

    def add(self, values: NDArray[Any]) -> None:
        """Any shape; what is not finite is left out."""
        finite = np.asarray(values, dtype=np.float64)
        finite = finite[np.isfinite(finite)]
        self.total += float(finite.sum())
        self.count += finite.size

    @property
    def value(self) -> float | None:
        """None where there was no value."""
        return self.total / self.count if self.count else None


@dataclass
class Correlation:
    """Pearson's, over values that both have."""

    count: int = 0
    mean: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    products: NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, 2)))  # sums around the mean
    low: NDArray[np.float64] = field(default_factory=lambda: np.full(2, np.inf))
    high: NDArray[np.float64] = field(default_factory=lambda: np.full(2, -np.inf))

    def add(self, first: NDArray[Any], second: NDArray[Any]) -> None:
        """Two rows of N values. Sums are joined as in Chan, Golub & LeVeque 1979, so that no digits cancel."""
        both = np.isfinite(first) & np.isfinite(second)
        values = np.stack([np.asarray(first, dtype=np.float64)[both], np.asarray(second, dtype=np.float64)[both]])
        new = values.shape[1]
        if not new:
            return
        mean = values.mean(axis=1)
        apart, total = mean - self.mean, self.count + new
        off = values - mean[:, None]
        self.products += off @ off.T + np.outer(apart, apart) * self.count * new / total
        self.mean += apart * new / total
        self.count = total
        self.low, self.high = np.minimum(self.low, values.min(axis=1)), np.maximum(self.high, values.max(axis=1))

    @property
    def value(self) -> float | None:
        """None where either is constant, or there are fewer than two."""
        if self.count < 2 or not (self.high > self.low).all():
            return None
        return float(self.products[0, 1] / np.sqrt(self.products[0, 0] * self.products[1, 1]))


@dataclass
class Quantiles:
    """Of finite values: exact up to half a million, then to half a thousandth of the value, in constant memory."""

    few: list[NDArray[np.float64]] = field(default_factory=list)
    count: int = 0
    bins: NDArray[np.int64] | None = None

    def add(self, values: NDArray[Any]) -> None:
        """Any shape, not negative; what is not finite is left out."""
        finite = np.asarray(values, dtype=np.float64)
        finite = finite[np.isfinite(finite)]
        self.count += finite.size
        self.few.append(finite)
        if self.count > _EXACT:
            # The first bin takes all below the edges, the last all above.
            places = np.searchsorted(_EDGES, np.concatenate(self.few), side="right")
            found = np.bincount(places, minlength=len(_EDGES) + 1)
            self.bins, self.few = found if self.bins is None else self.bins + found, []

    def at(self, *shares: float) -> list[float] | None:
        """The values that these shares don't exceed; None where there are none."""
        if not self.count:
            return None
        if self.bins is None:
            return [float(value) for value in np.quantile(np.concatenate(self.few), shares)]
        reached = np.searchsorted(np.cumsum(self.bins), [share * (self.count - 1) + 0.5 for share in shares])
        places = np.clip(reached, 1, len(_EDGES) - 1)
        return [float(np.sqrt(_EDGES[place - 1] * _EDGES[place])) for place in places]
