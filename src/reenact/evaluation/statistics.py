"""How sure a figure is: intervals over identities, not over frames.

Frames of one person are alike, so the person is what is drawn anew. A cross pair belongs to two persons, both of
which are drawn anew (the pigeonhole bootstrap, Owen 2007). Few identities make percentile intervals too short;
the levels are widened by Student's t as Hesterberg (2015, "expanded percentile") proposes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean with its 95 % interval; NaN limits where one identity alone leaves nothing to compare."""

    value: float
    low: float = NAN
    high: float = NAN
    n: int = 0  # pairs
    people: int = 0  # identities that the pairs are of; the fewer of sources and drivers

    def plain(self) -> dict[str, Any]:
        """As JSON types, NaN as None."""
        return {key: None if value != value else value for key, value in asdict(self).items()}


def bootstrap_mean(
    values: NDArray[np.floating],
    groups: Sequence[Sequence[Any]],
    *,
    repeats: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Mean of (N,) values with a bootstrap interval; NaN values are left out.

    `groups` holds one list of N identities for pairs within a person, two (source, driver) for cross pairs. In each
    repeat every group's identities are drawn anew with replacement; a pair counts as often as the product says.
    """
    values = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(values)
    values = values[finite]
    if not len(values):
        return Interval(value=NAN)
    # Sorted codes and a fixed order of sums: the same figures whatever the order of the rows.
    codes = [np.unique(np.asarray(group)[finite], return_inverse=True) for group in groups]
    order = np.lexsort((values, *(code for _, code in codes)))
    values = values[order]
    sizes = [len(names) for names, _ in codes]
    fewest = min(sizes)
    facts: dict[str, Any] = {"value": float(values.mean()), "n": len(values), "people": fewest}
    if fewest < 2:
        return Interval(**facts)
    rng = np.random.default_rng([seed, len(values)])
    weights = np.ones((repeats, len(values)))
    for size, (_, code) in zip(sizes, codes, strict=True):
        drawn = rng.multinomial(size, np.full(size, 1.0 / size), size=repeats)
        weights *= drawn[:, code[order]]
    totals = weights.sum(axis=1)
    drawn_some = totals > 0  # two sparse draws may have no pair in common
    means = (weights[drawn_some] @ values) / totals[drawn_some]
    low, high = np.quantile(means, expanded_levels(fewest, level)) if len(means) else (NAN, NAN)
    return Interval(low=float(low), high=float(high), **facts)


def expanded_levels(groups: int, level: float = 0.95) -> tuple[float, float]:
    """Quantiles to read off the bootstrap means of n groups: Phi(-+ sqrt(n / (n - 1)) t_{n - 1})."""
    tail = (1.0 - level) / 2.0
    wide = np.sqrt(groups / (groups - 1)) * stats.t.ppf(tail, groups - 1)
    return float(stats.norm.cdf(wide)), float(stats.norm.cdf(-wide))


def paired_difference(
    ours: NDArray[np.floating], theirs: NDArray[np.floating], groups: Sequence[Sequence[Any]], **options: Any
) -> Interval:
    """Mean of ours - theirs over the pairs both have a value for, with its interval; see `bootstrap_mean`."""
    return bootstrap_mean(np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64), groups, **options)


def leave_one_out(
    value_of: Callable[[NDArray[np.bool_]], float], groups: Sequence[Sequence[Any]], *, n: int
) -> list[dict[str, float]]:
    """A figure of a whole set without one identity after the other: for each of `groups`, by the identities' names.

    `value_of(keep)` computes it from the rows where `keep`, (n,), is true. NaN where a group has one identity only.
    """
    codes = [np.unique(np.asarray(group), return_inverse=True) for group in groups]
    if min((len(names) for names, _ in codes), default=0) < 2 or not n:
        return [dict.fromkeys(map(str, names), NAN) for names, _ in codes]
    return [{str(name): value_of(code != index) for index, name in enumerate(names)} for names, code in codes]


def jackknife_interval(
    value: float, left_out: Sequence[Mapping[str, float]], *, n: int, level: float = 0.95
) -> Interval:
    """A figure of a set of n rows with an interval, from what `leave_one_out` found (Tukey's jackknife).

    For cross pairs the variances over sources and over drivers are added. Used where the bootstrap's repeated rows
    would bias the figure, as in a Frechet distance; its bias from a small set is not corrected.
    """
    fewest = min((len(values) for values in left_out), default=0)
    if fewest < 2 or value != value:
        return Interval(value=value, n=n, people=fewest)
    variance = sum(jackknife_variance(list(values.values())) for values in left_out)
    reach = float(stats.t.ppf((1.0 + level) / 2.0, fewest - 1) * np.sqrt(variance))
    return Interval(value=value, low=value - reach, high=value + reach, n=n, people=fewest)


def jackknife_variance(left_out: Sequence[float]) -> float:
    """Variance of a figure from its values without one identity after the other."""
    values = np.asarray(left_out, dtype=np.float64)
    return float((len(values) - 1) / len(values) * np.square(values - values.mean()).sum())
