"""Whether a difference between two rows could be chance: tests, their correction, effect sizes, what N could show.

Pairs of one person are alike, so everything here goes by persons: a difference is first averaged within each, or, for
cross pairs, weighed by the variance that sources and drivers each bring along.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from reenact.evaluation.statistics import Interval, jackknife_variance

NAN = float("nan")
LEVEL, POWER = 0.95, 0.8


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """A paired comparison of two rows; NaN where fewer than two persons leave nothing to compare."""

    p: float = NAN  # two-sided, of a mean difference of 0; not corrected
    effect: float = NAN  # Cohen's d_z: mean difference in standard deviations between persons
    detectable: float = NAN  # the smallest true difference that this N shows in 80 % of such studies

    def plain(self) -> dict[str, Any]:
        """As JSON types, NaN as None."""
        return {key: None if value != value else value for key, value in asdict(self).items()}


def paired_test(
    differences: NDArray[np.floating], groups: Sequence[Sequence[Any]], *, repeats: int = 2000, seed: int = 0
) -> PairedTest:
    """Test of (N,) differences ours - theirs; NaN ones are left out. `groups` as in `statistics.bootstrap_mean`.

    The null hypothesis is that for each person either row may as well have come first: all of a person's differences
    change their sign together (Fisher's randomisation; exact for pairs within a person). For cross pairs the signs
    of the sources are drawn and the mean is divided by its two-way standard error each time (the wild cluster
    bootstrap of MacKinnon, Nielsen and Webb 2021), which is right for many persons and close for few.
    """
    differences = np.asarray(differences, dtype=np.float64)
    finite = np.isfinite(differences)
    values = differences[finite]
    codes = [np.unique(np.asarray(group)[finite], return_inverse=True)[1] for group in groups]
    fewest = min((int(code.max()) + 1 for code in codes), default=0) if len(values) else 0
    if fewest < 2:
        return PairedTest()
    order = np.lexsort((values, *codes))  # the same figures whatever the order of the rows
    values, codes = values[order], [code[order] for code in codes]
    error = float(_errors(values[None], codes)[0])
    spread = error * np.sqrt(fewest)  # between persons
    mean = float(values.mean())
    reach = stats.t.ppf((1 + LEVEL) / 2, fewest - 1) + stats.t.ppf(POWER, fewest - 1)
    return PairedTest(
        p=_p_value(values, codes, repeats=repeats, seed=seed),
        effect=mean / spread if spread > 0 else (0.0 if mean == 0 else float(np.copysign(np.inf, mean))),
        detectable=float(reach * error),
    )


def set_difference(
    ours: float, theirs: float, left_out: tuple[Mapping[str, float], Mapping[str, float]]
) -> tuple[Interval, PairedTest]:
    """ours - theirs of a figure of whole sets, paired by persons, with interval and test.

    `left_out`: both figures without each person (`leave_one_out`); by the jackknife of the difference over the persons
    that both have, and Student's t. NaN limits and test below two persons. An effect size per person has no meaning
    here and stays NaN.
    """
    a, b = left_out
    people = sorted(set(a) & set(b))
    value = ours - theirs
    if len(people) < 2 or value != value:
        return Interval(value=value, people=len(people)), PairedTest()
    error = float(np.sqrt(jackknife_variance([a[name] - b[name] for name in people])))
    degrees = len(people) - 1
    reach = float(stats.t.ppf((1 + LEVEL) / 2, degrees))
    interval = Interval(value=value, low=value - reach * error, high=value + reach * error, people=len(people))
    p = float(2 * stats.t.sf(abs(value) / error, degrees)) if error > 0 else float(value == 0)
    return interval, PairedTest(p=p, detectable=(reach + float(stats.t.ppf(POWER, degrees))) * error)


def _p_value(values: NDArray[np.float64], codes: list[NDArray[np.intp]], *, repeats: int, seed: int) -> float:
    """Share of sign patterns whose statistic is at least as large, the observed one among them."""
    rng = np.random.default_rng([seed, len(values)])
    people = int(codes[0].max()) + 1
    if len(codes) == 1 and people <= 12:  # few enough to try them all
        patterns = np.array(np.meshgrid(*[(1.0, -1.0)] * people, indexing="ij")).reshape(people, -1).T
    else:
        drawn = rng.choice((1.0, -1.0), size=(repeats - 1, people))
        patterns = np.concatenate([np.ones((1, people)), drawn])
    flipped = patterns[:, codes[0]] * values
    statistic = np.abs(flipped.mean(axis=1))
    if len(codes) > 1:
        errors = _errors(flipped, codes)
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = np.where(statistic > 0, statistic / errors, 0.0)
    return float((statistic >= statistic[0] * (1 - 1e-9)).mean())


def _errors(rows: NDArray[np.float64], codes: list[NDArray[np.intp]]) -> NDArray[np.float64]:
    """Standard error of the mean of each of (R, N) rows: by persons, or two-way by sources and drivers.

    Two-way as in Cameron, Gelbach and Miller (2011): the variances by source and by driver, less what they share;
    never below the larger of the two alone.
    """
    centred = rows - rows.mean(axis=1, keepdims=True)
    single = [_variance(centred, code) for code in codes]
    if len(codes) == 1:
        return np.sqrt(single[0])
    both = np.unique(np.stack(codes), axis=1, return_inverse=True)[1].ravel()
    joint = sum(single) - _variance(centred, both)
    return np.sqrt(np.maximum(joint, np.maximum(*single)))


def _variance(centred: NDArray[np.float64], code: NDArray[np.intp]) -> NDArray[np.float64]:
    """Of the mean of (R, N) rows, from sums over clusters, with the usual n / (n - 1)."""
    clusters = int(code.max()) + 1
    member = np.zeros((centred.shape[1], clusters))
    member[np.arange(len(code)), code] = 1.0
    sums = centred @ member
    return np.asarray(np.square(sums).sum(axis=1) * clusters / (clusters - 1) / centred.shape[1] ** 2)


def holm(p_values: Sequence[float]) -> list[float]:
    """Corrected for their number (Holm 1979): below 0.05, the chance of any false finding is. NaN stays NaN."""
    p = np.asarray(p_values, dtype=np.float64)
    tested = np.flatnonzero(np.isfinite(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    corrected = np.full(len(p), NAN)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1.0)
    return [float(value) for value in corrected]
