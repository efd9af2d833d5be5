"""One metric held against its rule: known, within its limit, not worse than the bound, better or not."""

from reenact.evaluation.metrics.metric import Metric
from reenact.review.differences import Difference
from reenact.review.settings import MetricRule
from reenact.review.verdict import Rule, number


def metric_rule(
    metric: Metric, rule: MetricRule, value: float | None, found: Difference | None, *, p: float | None, level: float
) -> Rule:
    """`value` is the challenger's own figure; `found` its difference to a champion, None where there is none.

    `p` is the corrected one of that difference. A figure or an interval that is not known breaks the rule.
    """
    value = number(value)
    broken = [*_unknown(metric, value, found), *_beyond_limit(metric, rule, value), *_beyond_bound(metric, rule, found)]
    better = None if found is None else _better(metric, rule, found, p, level)
    name = f"{metric.id} on {rule.protocol}"
    state = "; ".join(broken) or {True: "better", False: "not worse by what is forbidden", None: "known"}[better]
    return Rule(
        name=name,
        kind="metric",
        ok=not broken,
        wanted=_wanted(metric, rule, found is not None),
        sentence=f"{name}: {_numbers(value, found, p)}: {state}",
        metric=metric.id,
        protocol=rule.protocol,
        challenger=value if found is None else found.ours,
        champion=None if found is None else found.theirs,
        difference=None if found is None else found.value,
        low=None if found is None else found.low,
        high=None if found is None else found.high,
        p=p,
        better=better,
    )


def gain_of(metric: Metric, found: Difference) -> tuple[float | None, float | None]:
    """(gain, its bad end): the difference and its interval's worse limit, counted so that more is better."""
    if metric.direction == "higher":
        return found.value, found.low
    return (None if found.value is None else -found.value), (None if found.high is None else -found.high)


def _better(metric: Metric, rule: MetricRule, found: Difference, p: float | None, level: float) -> bool:
    gain, _ = gain_of(metric, found)
    return gain is not None and gain >= rule.effect and p is not None and p < level


def _unknown(metric: Metric, value: float | None, found: Difference | None) -> list[str]:
    if value is None:
        network = f" (it needs evaluate.networks.{metric.network})" if metric.network else ""
        return [f"no figure{network}"]
    if found is None or found.value is not None:
        return []
    return ["the champion has no figure" if found.theirs is None else "no pair that both could be judged on"]


def _beyond_limit(metric: Metric, rule: MetricRule, value: float | None) -> list[str]:
    if value is None or rule.limit is None or value == rule.limit or metric.better(value, rule.limit):
        return []
    return [f"worse than the limit of {rule.limit:g}"]


def _beyond_bound(metric: Metric, rule: MetricRule, found: Difference | None) -> list[str]:
    if found is None or found.value is None or rule.bound is None:
        return []
    _, worst = gain_of(metric, found)
    if worst is None:
        return ["no interval, so it can't be told whether it is worse"]
    return [] if worst >= -rule.bound else [f"it may be worse by {-worst:.3g}, allowed are {rule.bound:g}"]


def _numbers(value: float | None, found: Difference | None, p: float | None) -> str:
    if found is None or found.value is None:
        return "-" if value is None else f"{value:.4g}"
    interval = "" if found.low is None or found.high is None else f" [{found.low:+.3g}, {found.high:+.3g}]"
    chance = "" if p is None else f", p {p:.2g}"
    return f"{found.ours:.4g} against {found.theirs:.4g}, {found.value:+.3g}{interval}{chance}"


def _wanted(metric: Metric, rule: MetricRule, compared: bool) -> str:
    """In words, with the metric's unit where it has one."""
    unit = "" if metric.unit == "1" else f" {metric.unit}"
    parts = ["a figure"] if rule.limit is None else [f"{_at(metric)} {rule.limit:g}{unit}"]
    if compared and rule.bound is not None:
        parts.append(f"worse by at most {rule.bound:g}{unit}, interval and all")
    if compared:
        parts.append(f"counts as better from {rule.effect:g}{unit}")
    return "; ".join(parts)


def _at(metric: Metric) -> str:
    return "at most" if metric.direction == "lower" else "at least"
