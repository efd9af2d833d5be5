"""Whether today's data still looks like what a model was trained on: two profiles, column by column.

A column has drifted where it moved far enough to matter (population stability index or Kolmogorov-Smirnov distance)
and further than chance would move it: people are dealt anew into two heaps of these sizes many times, and all columns
are corrected for together by the largest standardised distance of each deal (Westfall and Young 1993). So two people
more, or ten frames, raise no alarm, however odd they are; enough of them do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from reenact.evaluation.profile import Profile, quantile

LEAST = 0.001  # share of a bin that is empty, where its logarithm is taken
_TENTH = 0.1  # share of the first profile up to which bins of the stability index are put together
_EXACT = 1e-9
Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Moved:
    """One column of two profiles."""

    name: str
    psi: float  # population stability index: 0 the same; by custom 0.1 is little and 0.25 much
    ks: float  # largest distance of the two distribution functions, 0..1
    p: float  # chance of a distance like this where people are dealt at random, corrected for all columns
    then: float | None  # medians
    now: float | None
    drifted: bool


@dataclass(frozen=True, kw_only=True)
class Drift:
    """What is different between the data of a training and today's."""

    columns: tuple[Moved, ...]  # the furthest moved first
    frames: tuple[int, int]  # in use, then and now
    people: tuple[int, int]
    new_people: int  # who were not trained on
    gone_people: int  # who were trained on, and are not there any more
    reasons: tuple[str, ...]  # a sentence for each limit that is passed
    notes: tuple[str, ...]

    @property
    def found(self) -> bool:
        """Whether any limit is passed."""
        return bool(self.reasons)


def drift(
    then: Profile,
    now: Profile,
    *,
    psi: float = 0.2,
    ks: float = 0.15,
    level: float = 0.05,
    growth: float = 0.25,
    new_people: float = 0.25,
    repeats: int = 1000,
    seed: int = 0,
) -> Drift:
    """Compare today's profile with that of a training.

    psi, ks: distances from which a column counts, where chance has not even `level` of them. growth: by what share of
    the frames of then the frames in use have become more. new_people: what share of today's were not trained on.
    """
    moved = _columns(then, now, psi=psi, ks=ks, level=level, repeats=repeats, seed=seed)
    before, today = set(then.people), set(now.people)
    fresh, gone = len(today - before), len(before - today)
    reasons = [_said(column) for column in moved if column.drifted]
    more = now.frames / then.frames - 1 if then.frames else float("inf")
    if more >= growth:
        reasons.append(f"there are {more:.0%} more frames in use ({then.frames:,} then, {now.frames:,} now; limit "
                       f"{growth:.0%})")  # fmt: skip
    if fresh and fresh >= new_people * len(today):
        reasons.append(f"{fresh} of {len(today)} people were not trained on (limit {new_people:.0%})")
    notes = [f"{gone} of {len(before)} people that it was trained on are not in the data any more"] if gone else []
    left_out = sorted(set(then.counts) ^ set(now.counts))
    if left_out:
        notes.append(f"known of one side only, so not compared: {', '.join(left_out)}")
    return Drift(
        columns=tuple(moved), frames=(then.frames, now.frames), people=(len(before), len(today)),
        new_people=fresh, gone_people=gone, reasons=tuple(reasons), notes=tuple(notes),
    )  # fmt: skip


def stability_index(then: Array, now: Array) -> float:
    """Population stability index of two histograms: sum of (now - then) ln(now / then) over bins of shares.

    Neighbouring bins that hold less than a tenth of `then` are put together: the tails of few frames are noise.
    """
    if not then.sum() or not now.sum():
        return 0.0
    bins = _tenths(then)
    a, b = (np.maximum(np.bincount(bins, counts / counts.sum()), LEAST) for counts in (then, now))
    return float(((b - a) * np.log(b / a)).sum())


def distance(then: Array, now: Array) -> Array:
    """Kolmogorov-Smirnov distance of (..., bins) histograms at the bins' edges; 0 where one of them is empty."""
    sums = [counts.sum(axis=-1, keepdims=True) for counts in (then, now)]
    a, b = (np.cumsum(c, axis=-1) / np.maximum(s, _EXACT) for c, s in zip((then, now), sums, strict=True))
    known = (sums[0] > 0)[..., 0] & (sums[1] > 0)[..., 0]
    return np.asarray(np.where(known, np.abs(a - b).max(axis=-1), 0.0))


def _columns(
    then: Profile, now: Profile, *, psi: float, ks: float, level: float, repeats: int, seed: int
) -> list[Moved]:
    names = [name for name in then.counts if name in now.counts]
    found = {name: (then.counts[name].sum(axis=0), now.counts[name].sum(axis=0)) for name in names}
    chances = _chances(then.counts, now.counts, names, repeats=repeats, seed=seed)
    moved = []
    for name, p in zip(names, chances, strict=True):
        a, b = found[name]
        far, near = stability_index(a, b), float(distance(a, b))
        moved.append(Moved(
            name=name, psi=far, ks=near, p=p, then=quantile(name, a, 0.5), now=quantile(name, b, 0.5),
            drifted=(far >= psi or near >= ks) and p < level,
        ))  # fmt: skip
    return sorted(moved, key=lambda column: (not column.drifted, -column.ks, column.name))


def _chances(
    then: Mapping[str, Array], now: Mapping[str, Array], names: list[str], *, repeats: int, seed: int
) -> list[float]:
    """p of each column's distance, corrected for their number: of the deals, and of what was observed among them."""
    first = len(then["found"])
    total = first + len(now["found"])
    deals = _deals(first, total, repeats=repeats, seed=seed)
    dealt = []
    for name in names:
        pooled = np.concatenate([then[name], now[name]])
        one = deals @ pooled
        dealt.append(distance(one, pooled.sum(axis=0) - one))
    distances = np.stack(dealt, axis=1) if dealt else np.zeros((len(deals), 0))
    spread = distances.std(axis=0)
    standard = np.where(spread > _EXACT, (distances - distances.mean(axis=0)) / np.maximum(spread, _EXACT), 0.0)
    largest = standard.max(axis=1, initial=-np.inf)
    return [float((largest >= own - _EXACT).mean()) for own in standard[0]]


def _deals(first: int, total: int, *, repeats: int, seed: int) -> Array:
    """(deals, groups) of 0 and 1: who is in the first heap. What was observed comes first; few deals are all tried."""
    observed = np.zeros(total)
    observed[:first] = 1.0
    if comb(total, first) <= repeats:
        deals = np.zeros((comb(total, first), total))
        for row, chosen in enumerate(combinations(range(total), first)):  # the first of them is the observed one
            deals[row, list(chosen)] = 1.0
        return deals
    rng = np.random.default_rng([seed, first, total])
    return np.stack([observed, *(rng.permutation(observed) for _ in range(repeats - 1))])


def _tenths(counts: Array) -> NDArray[np.intp]:
    """The wider bin of each bin: one that holds a tenth stands alone, those between are joined up to a tenth."""
    wide = np.zeros(len(counts), dtype=np.intp)
    number, held = -1, 1.0
    for place, share in enumerate(counts / counts.sum()):
        if held >= _TENTH or share >= _TENTH:
            number, held = number + 1, 0.0
        wide[place] = number
        held += share
    return wide


def _said(column: Moved) -> str:
    known = column.then is not None and column.now is not None
    medians = f", median {column.then:.3g} then, {column.now:.3g} now" if known else ""
    measured = f"stability index {column.psi:.2f}, distance {column.ks:.2f}, p {column.p:.2g}"
    return f"{column.name} has moved ({measured}{medians})"
