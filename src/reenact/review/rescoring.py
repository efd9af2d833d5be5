"""Whether a version still scores what it scored when the gate looked at it: pure functions over two evaluations.

The test pairs of today are other pairs where the data has grown, of other people even. So a figure counts as worse
only from the settings' smallest effect, and only where the 95 % intervals over identities of then and now, widened
for the number of metrics, leave no room for chance. On the very same pairs there is no such chance, and the effect
alone decides.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import hypot, sqrt
from statistics import NormalDist
from typing import Any

from reenact.evaluation.collect import SAME, Entry
from reenact.evaluation.metrics.catalogue import METRICS
from reenact.evaluation.reference_names import COPY_SOURCE
from reenact.review.before import Before, Figure
from reenact.review.differences import SPLIT, figure_of, own_lines
from reenact.review.gate import alarms_asked, faces_shown
from reenact.review.settings import RescoreSettings

_CLEAR = 1.96  # standard errors of a share, from where chance is small


@dataclass(frozen=True, kw_only=True)
class Held:
    """One figure or alarm, then and now; None where a number is not known."""

    name: str
    worse: bool  # by what counts and beyond chance
    sentence: str
    then: float | None = None
    now: float | None = None
    loss: float | None = None  # how much worse, in the metric's unit; negative: better
    chance: float | None = None  # how far chance may reach
    effect: float | None = None  # the smallest loss that counts


def rescored(before: Before, now: Entry, settings: RescoreSettings) -> list[Held]:
    """A line per metric, per protocol whose pictures should show faces, and per alarm that goes off."""
    same = _same_pairs(before, now)
    return [
        *_metrics(before, now, settings, same),
        *_faces(before, now, settings, same),
        *_alarms(before, now, settings),
    ]


def _same_pairs(before: Before, now: Entry) -> bool:
    """Whether the pairs are those of then, by name and by what they show: copying their sources errs as it did."""
    if not before.pairs_sha256 or before.pairs_sha256 != now.record["pairs_sha256"].get(SPLIT):
        return False
    then, today = (_copied(record) for record in (before.record, now.record))
    return (
        bool(then)
        and then.keys() == today.keys()
        and all(abs(then[place] - today[place]) <= SAME * abs(then[place]) for place in then)
    )


def _copied(record: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    """Error of the source's copy by protocol and kind of people."""
    return {
        (line["protocol"], line["identities"]): float(line["value"])
        for line in record.get("results", ())
        if (line["row"], line["metric"], line["split"]) == (COPY_SOURCE, "mse", SPLIT) and line["value"] is not None
    }


def _metrics(before: Before, now: Entry, settings: RescoreSettings, same: bool) -> Iterator[Held]:
    for name, rule in settings.metrics.items():
        label = f"{name} on {rule.protocol}"
        then, found = before.figure(name, rule.protocol), figure_of(now, name, rule.protocol)
        value = None if found is None else found["value"]
        if then is None or found is None or value is None:
            missing = "then" if value is not None else "now" if then else "then and now"
            yield Held(name=label, worse=False, sentence=f"{label}: no figure {missing}, so nothing to compare",
                       then=then.value if then else None, now=value, effect=rule.effect)  # fmt: skip
            continue
        if _other_judge(before, now, name):
            yield Held(name=label, worse=False, sentence=f"{label}: read by another judge than then, not compared",
                       then=then.value, now=value, effect=rule.effect)  # fmt: skip
            continue
        loss = value - then.value if METRICS[name].direction == "lower" else then.value - value
        chance = 0.0 if same else _chance(then, found, len(settings.metrics))
        yield _line(label, then.value, value, loss, chance, rule.effect)


def _faces(before: Before, now: Entry, settings: RescoreSettings, same: bool) -> Iterator[Held]:
    """Of the protocols that the metrics are asked on: figures read from faces say nothing of pictures without one."""
    for protocol in dict.fromkeys(rule.protocol for rule in settings.metrics.values()):
        rule = before.rule("faces", "", protocol)
        then, share = rule.challenger if rule else None, faces_shown(now, protocol)
        if then is None or share is None:
            continue
        people = max(own_lines(now, protocol)["source_identity"].nunique(), 1)
        chance = 0.0 if same else _CLEAR * sqrt((then * (1 - then) + share * (1 - share)) / people)
        yield _line(f"pictures with a face on {protocol}", then, share, then - share, chance, settings.lost)


def _alarms(before: Before, now: Entry, settings: RescoreSettings) -> Iterator[Held]:
    """An alarm that went off at the gate, too, was known when the version was made champion."""
    for one in alarms_asked(now):
        if one.name not in settings.alarms or one.verdict != "alarm":
            continue
        rule = before.rule("alarm", one.name, one.protocol)
        known = rule is not None and not rule.ok
        said = f"{one.sentence()}{' (as when the gate looked)' if known else ''}"
        yield Held(name=f"{one.name} on {one.protocol}", worse=not known, sentence=f"alarm: {said}",
                   then=rule.challenger if rule else None, now=one.value)  # fmt: skip


def _line(name: str, then: float, now: float, loss: float, chance: float | None, effect: float) -> Held:
    worse = chance is not None and loss >= effect and loss > chance
    change = f"{name}: {then:.4g} then, {now:.4g} now"
    if worse:
        said = f"{change}: worse by {loss:.3g}, allowed are {effect:g}"
    elif loss < effect:
        said = f"{change}: as good as then"
    else:
        reach = "an interval is not known" if chance is None else f"chance alone reaches {chance:.3g}"
        said = f"{change}: worse by {loss:.3g}, but {reach}"
    return Held(name=name, worse=worse, sentence=said, then=then, now=now, loss=loss, chance=chance, effect=effect)


def _chance(then: Figure, now: Any, metrics: int) -> float | None:
    """Half the width of the difference's interval: both figures are of other pairs. Then as wide as now if unknown.

    Wide enough that at most one scoring in forty finds any of so many metrics worse that is not (Bonferroni).
    """
    today = _half(now["low"], now["high"])
    if today is None:
        return None
    earlier = _half(then.low, then.high)
    return _wider(metrics) * hypot(today, today if earlier is None else earlier)


def _wider(metrics: int) -> float:
    """By how much the 95 % intervals of so many metrics have to be wider to hold together."""
    one = NormalDist().inv_cdf(0.975)
    return NormalDist().inv_cdf(1 - 0.025 / metrics) / one


def _half(low: float | None, high: float | None) -> float | None:
    return None if low is None or high is None else (high - low) / 2


def _other_judge(before: Before, now: Entry, metric: str) -> bool:
    """Whether somebody else reads for this metric today; where only the verdict is known, by the judge's name."""
    ours = now.record["metrics"].get(metric) or {}
    theirs = (before.record.get("metrics") or {}).get(metric)
    if theirs is not None:
        return any(ours.get(key) != theirs.get(key) for key in ("judge", "weights_sha256"))
    name = str((now.record.get("judge") or {}).get("name", ""))
    return bool(ours.get("judge")) and before.judge != name
